//! The choice of the victim, by hand and at the edges.

use super::*;

/// 80 MiB in 4 KiB pages; a thousandth of it is 20 pages.
const LIMIT: u64 = 20480;

fn input(pid: i32, rss_pages: u64, oom_score_adj: i16) -> Input {
    Input { pid, comm: format!("p{pid}").into_bytes(), rss_pages, oom_score_adj, ..Input::default() }
}

#[test]
fn the_uncertainty_has_the_stocks_and_the_counters() {
    for (cpus, expected) in [(1, 96), (2, 192), (16, 1536), (64, 64 * 64 + 64 * 128)] {
        assert_eq!(uncertainty(cpus), expected, "{cpus} CPUs");
    }
}

#[test]
fn scores_by_hand() {
    for (rss, swap, tables, adj, total, expected) in [
        (100, 20, 3, 0, LIMIT, 123),
        (100, 20, 3, 1, LIMIT, 143),
        (100, 20, 3, -1, LIMIT, 103),
        (0, 0, 0, 1000, LIMIT, 20000),
        (0, 0, 0, -999, LIMIT, -19980),
        (20480, 0, 40, 1000, LIMIT, 40520),
        (5, 0, 0, 1000, 999, 5),
        (5, 0, 0, -999, 999, 5),
        (5, 0, 0, 1000, 1000, 1005),
        (5, 0, 0, 1000, 1999, 1005),
        (5, 0, 0, 500, 2000, 1005),
        (5, 0, 0, -500, 0, 5),
    ] {
        assert_eq!(score(rss, swap, tables, adj, total), expected, "{rss} {swap} {tables} {adj} {total}");
    }
}

#[test]
fn the_whole_range_of_the_adjustment() {
    for adj in -1000..=1000i16 {
        let prediction = predict(vec![input(1, 5000, adj), input(2, 5000, 0)], LIMIT, 0);
        let expected = if adj > 0 { 1 } else { 2 };
        assert_eq!(prediction.predicted, Some(expected), "{adj}");
        assert_eq!(prediction.candidates[0].eligible, adj != -1000);
        assert_eq!(prediction.candidates[0].score, 5000 + 20 * i64::from(adj));
        let margin = (adj != -1000).then_some(20 * u64::from(adj.unsigned_abs()));
        assert_eq!(prediction.margin_pages, margin, "{adj}");
        assert_eq!(prediction.determined, adj != 0, "{adj}");
    }
}

#[test]
fn below_a_thousand_pages_the_adjustment_does_nothing() {
    let prediction = predict(vec![input(1, 10, 1000), input(2, 11, -999)], 999, 0);
    assert_eq!((prediction.predicted, prediction.margin_pages), (Some(2), Some(1)));
}

#[test]
fn of_equals_the_later_scanned_is_chosen_but_it_is_not_determined() {
    let prediction = predict(vec![input(1, 10, 0), input(2, 10, 0), input(3, 9, 0)], LIMIT, 0);
    assert_eq!(prediction.predicted, Some(2));
    assert_eq!((prediction.margin_pages, prediction.determined), (Some(0), false));
}

#[test]
fn a_margin_within_the_uncertainty_is_not_determined() {
    for (uncertainty, determined) in [(99, true), (100, false), (101, false)] {
        let prediction = predict(vec![input(1, 1100, 0), input(2, 1000, 0)], LIMIT, uncertainty);
        assert_eq!((prediction.predicted, prediction.determined), (Some(1), determined), "{uncertainty}");
    }
}

#[test]
fn nobody_eligible_means_no_victim() {
    let vfork = Input { condition: Condition::Vfork, ..input(2, 9000, 0) };
    let prediction = predict(vec![input(1, 9000, -1000), vfork], LIMIT, 0);
    assert_eq!((prediction.predicted, prediction.margin_pages, prediction.determined), (None, None, true));
    assert!(prediction.candidates.iter().all(|candidate| candidate.reason.is_some()));
    assert_eq!(prediction.victim(), None);
    assert_eq!(predict(Vec::new(), LIMIT, 0).predicted, None);
}

#[test]
fn an_earlier_victim_is_waited_for() {
    let dying = Input { condition: Condition::Dying, ..input(2, 9000, 0) };
    let prediction = predict(vec![input(1, 5000, 0), dying], LIMIT, 0);
    assert_eq!((prediction.predicted, prediction.waits_for, prediction.determined), (None, Some(2), false));
}

#[test]
fn negative_scores_compete_but_older_kernels_see_equals() {
    let prediction = predict(vec![input(1, 100, -500), input(2, 100, -400)], LIMIT, 0);
    assert_eq!(prediction.candidates[0].score, -9900);
    assert_eq!((prediction.predicted, prediction.margin_pages), (Some(2), Some(2000)));
    assert!(!prediction.determined);
    // One clearly positive score beats them on every kernel.
    let prediction = predict(vec![input(1, 100, 0), input(2, 100, -400)], LIMIT, 0);
    assert!(prediction.determined && prediction.predicted == Some(1));
}

#[test]
fn extreme_numbers_saturate() {
    let prediction = predict(vec![input(1, u64::MAX, 1000), input(2, 0, -999)], u64::MAX, u64::MAX);
    assert_eq!(prediction.predicted, Some(1));
    assert_eq!(prediction.candidates[0].score, i64::MAX);
    assert!(prediction.candidates[1].score < 0);
}

fn growth(step_pages: u64, usage_pages: u64) -> GrowthInput {
    GrowthInput {
        growing_pid: 1,
        step_pages,
        limit_pages: LIMIT,
        usage_pages,
        reclaimable_pages: 0,
        total_pages: LIMIT,
        uncertainty_pages: 128,
    }
}

#[test]
fn a_step_that_fits_is_no_oom() {
    // 2560 pages need 5 pages of page tables.
    assert_eq!(predict_growth(vec![input(1, 9, 0)], &growth(2560, LIMIT - 2570)), Growth::Fits { room_pages: 5 });
    assert_eq!(predict_growth(vec![input(1, 9, 0)], &growth(2560, LIMIT - 2565)), Growth::Fits { room_pages: 0 });
    assert_eq!(predict_growth(vec![input(2, 9, 0)], &growth(1, 0)), Growth::NotThere);
}

#[test]
fn a_step_over_the_limit_grows_until_the_limit() {
    // Room of 1026 pages: 1024 of memory and 2 of page tables.
    let inputs = vec![input(1, 9000, 0), input(2, 9900, 0)];
    let Growth::Oom { grown_pages, may_fit, prediction } = predict_growth(inputs, &growth(2560, LIMIT - 1026)) else {
        panic!("no OOM");
    };
    assert_eq!((grown_pages, may_fit), (1024, false));
    assert_eq!((prediction.predicted, prediction.margin_pages), (Some(1), Some(126)));
    assert_eq!((prediction.candidates[0].rss_pages, prediction.candidates[0].pgtable_pages), (10024, 2));
    assert!(!prediction.determined, "126 pages are within what the stocks may hide");
}

#[test]
fn what_can_be_reclaimed_is_room() {
    let mut step = growth(2560, LIMIT);
    step.reclaimable_pages = 2565;
    assert_eq!(predict_growth(vec![input(1, 9, 0)], &step), Growth::Fits { room_pages: 0 });
    step.reclaimable_pages = 2564;
    assert!(matches!(predict_growth(vec![input(1, 9, 0)], &step), Growth::Oom { may_fit: true, .. }));
}

#[test]
fn a_usage_above_the_limit_leaves_no_room() {
    let Growth::Oom { grown_pages, .. } = predict_growth(vec![input(1, 9, 0)], &growth(2560, LIMIT + 7)) else {
        panic!("no OOM");
    };
    assert_eq!(grown_pages, 0);
}

#[test]
fn a_candidate_is_json_with_its_fixed_keys_first() {
    let one = predict(vec![Input { comm: b"a\nb".to_vec(), ..input(7, 5, -1000) }], LIMIT, 0);
    let json = serde_json::to_string(&one.candidates[0]).expect("json");
    let start = r#"{"pid":7,"comm":"a\\x0ab","score":-19995,"oom_score_adj":-1000,"eligible":false,"reason":"its "#;
    assert!(json.starts_with(start), "{json}");
}

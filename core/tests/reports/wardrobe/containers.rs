//! What holds a log: documents and strings.

use super::{bare, clock, dmesg, html, json, stamp, text, Container, Lines, Plain};

// Long: one table, an entry for each container.
pub(super) fn containers() -> Vec<Container> {
    fn objects(log: &[Plain]) -> Lines {
        let object = |line: &Plain| {
            format!(
                "{{\"@timestamp\":\"2026-11-23T{}Z\",\"message\":{}}}",
                clock(line),
                json(&(stamp(line) + &line.text))
            )
        };
        log.iter().map(object).collect()
    }
    vec![
        ("docker json", |log| {
            let object = |line: &Plain| {
                format!("{{\"log\":{},\"stream\":\"stdout\"}}", json(&(stamp(line) + &line.text + "\n")))
            };
            text(log.iter().map(object).collect())
        }),
        ("journal json", |log| {
            let object = |line: &Plain| {
                format!(
                    "{{\"_TRANSPORT\":\"kernel\",\"_SOURCE_MONOTONIC_TIMESTAMP\":\"{}\",\"MESSAGE\":{}}}",
                    line.usec,
                    json(&line.text)
                )
            };
            text(log.iter().map(object).collect())
        }),
        ("journal json pretty", |log| {
            let object = |line: &Plain| {
                format!("{{\n\t\"_TRANSPORT\" : \"kernel\",\n\t\"_SOURCE_MONOTONIC_TIMESTAMP\" : \"{}\",\n\t\"MESSAGE\" : {}\n}}", line.usec, json(&line.text))
            };
            text(log.iter().map(object).collect())
        }),
        ("array of objects", |log| format!("[{}]\n", objects(log).join(",")).into_bytes()),
        ("array of objects, a line each", |log| format!("[\n  {}\n]\n", objects(log).join(",\n  ")).into_bytes()),
        ("array pretty", |log| {
            let value: serde_json::Value = serde_json::from_str(&format!("[{}]", objects(log).join(","))).unwrap();
            text(vec![serde_json::to_string_pretty(&value).unwrap()])
        }),
        ("loki", |log| {
            let pair = |line: &Plain| format!("[\"{}000\",{}]", line.usec, json(&(stamp(line) + &line.text)));
            let pairs: Lines = log.iter().map(pair).collect();
            format!("{{\"data\":{{\"result\":[{{\"stream\":{{\"job\":\"k\"}},\"values\":[{}]}}]}}}}", pairs.join(","))
                .into_bytes()
        }),
        ("elasticsearch", |log| {
            let hit = |object: String| format!("{{\"_id\":\"x\",\"_source\":{object}}}");
            let hits: Lines = objects(log).into_iter().map(hit).collect();
            format!("{{\"hits\":{{\"total\":1,\"hits\":[{}]}}}}", hits.join(",")).into_bytes()
        }),
        ("cloudwatch", |log| {
            let event = |line: &Plain| {
                format!(
                    "{{\"timestamp\":{},\"message\":{},\"ingestionTime\":5}}",
                    line.usec,
                    json(&(stamp(line) + &line.text))
                )
            };
            let events: Lines = log.iter().map(event).collect();
            format!("{{\n  \"events\": [\n    {}\n  ]\n}}", events.join(",\n    ")).into_bytes()
        }),
        ("one string", |log| format!("{{\"node\":\"n\",\"dmesg\":{}}}", json(&dmesg(log).join("\n"))).into_bytes()),
        ("one string, cut off", |log| format!("  \"dmesg\": {}, \"mo", json(&dmesg(log).join("\n"))).into_bytes()),
        ("strings", |log| {
            let lines: Lines = dmesg(log).iter().map(|line| format!("        {},", json(line))).collect();
            format!("    \"stdout_lines\": [\n{}\n    ]\n", lines.join("\n")).into_bytes()
        }),
        ("syslog with #012", |log| format!("Nov 23 01:00:00 host kernel: {}\n", bare(log).join("#012")).into_bytes()),
        ("table of a page", |log| {
            let row = |(at, line): (usize, &String)| {
                format!("<tr><td class=\"n\">{}</td><td>{}</td></tr>", at + 1, html(line))
            };
            let rows: Lines = dmesg(log).iter().enumerate().map(row).collect();
            format!("<html><body><table>\n{}\n</table></body></html>\n", rows.join("\n")).into_bytes()
        }),
        ("page", |log| {
            let lines: Lines =
                dmesg(log).iter().map(|line| format!("<span style=\"color:#555\">{}</span>", html(line))).collect();
            format!("<html><body><p>It happened again.</p><pre><code>{}</code></pre></body></html>\n", lines.join("\n"))
                .into_bytes()
        }),
        ("markdown", |log| {
            format!("It happens every night.\n\n```\n{}\n```\n\nAny idea what to do?\n", dmesg(log).join("\n"))
                .into_bytes()
        }),
        ("jira", |log| format!("Log:\n{{noformat}}{}{{noformat}}\nThanks\n", dmesg(log).join("\n")).into_bytes()),
        ("forum", |log| format!("[quote=somebody][code]{}[/code][/quote]\n", dmesg(log).join("\n")).into_bytes()),
        ("yaml block", |log| {
            let lines: Lines = dmesg(log).iter().map(|line| format!("      {line}")).collect();
            format!("  status:\n    log: |\n{}\n    node: n1\n", lines.join("\n")).into_bytes()
        }),
    ]
}

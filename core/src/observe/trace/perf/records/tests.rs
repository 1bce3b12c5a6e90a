use super::*;

const FORMAT: &[u8] = b"ID: 7\n\tfield:int pid;\toffset:8;\tsize:4;\tsigned:1;\n\nprint fmt: \"pid=%d\", REC->pid\n";

fn events() -> Events {
    let missing = Error::new(ErrorKind::Unsupported, "read event format", "not in this test");
    Events { victim: Layout::from_format(FORMAT, &["pid"]).expect("a layout"), signals: Err(Arc::new(missing)) }
}

/// A record of that kind around its body.
fn record(kind: u32, body: &[u8]) -> Vec<u8> {
    let size = u16::try_from(body.len() + 8).expect("short");
    [kind.to_ne_bytes().as_slice(), &[0, 0], &size.to_ne_bytes(), body].concat()
}

/// A sample of the event 7 with that path.
fn victim(pid: i32, time_ns: u64, path: &[u64]) -> Vec<u8> {
    let mut body = [11i32.to_ne_bytes(), 12i32.to_ne_bytes()].concat();
    body.extend(time_ns.to_ne_bytes());
    body.extend([3u32.to_ne_bytes(), [0; 4]].concat());
    body.extend((path.len() as u64).to_ne_bytes());
    body.extend(path.iter().flat_map(|address| address.to_ne_bytes()));
    let mut raw = vec![0; 12];
    raw[..2].copy_from_slice(&7u16.to_ne_bytes());
    raw[8..].copy_from_slice(&pid.to_ne_bytes());
    body.extend((raw.len() as u32).to_ne_bytes());
    record(RECORD_SAMPLE, &[body, raw].concat())
}

fn read(bytes: &[u8]) -> Vec<Sample> {
    let mut samples = Vec::new();
    records(bytes, 3, &events(), &mut samples);
    samples
}

#[test]
fn records_become_items_with_the_addresses_of_their_path() {
    let lost = record(RECORD_LOST, &[5u64.to_ne_bytes(), 9u64.to_ne_bytes()].concat());
    let bytes = [victim(42, 1000, &[FIRST_MARK, u64::MAX - 127, 0xffff_ffff_8100_0000]), lost, record(4, &[0; 16])];
    let samples = read(&bytes.concat());
    let [first, second] = samples.as_slice() else { panic!("{} samples", samples.len()) };
    let TraceItem::Victim(victim) = &first.item else { panic!("{:?}", first.item) };
    assert_eq!((victim.pid, victim.invoker_pid, victim.cpu, victim.time_ns), (42, 12, 3, 1000));
    assert_eq!(first.path, [0xffff_ffff_8100_0000], "marks are no addresses");
    assert_eq!(second.item, TraceItem::Lost { cpu: 3, events: Some(9) });
}

#[test]
fn damage_is_told_and_never_panics() {
    let whole = victim(42, 1000, &[1, 2, 3]);
    for end in 0..whole.len() {
        read(&whole[..end]);
        let cut = record(RECORD_SAMPLE, &whole[8..end.max(8)]);
        let items: Vec<TraceItem> = read(&cut).into_iter().map(|sample| sample.item).collect();
        assert!(matches!(items.as_slice(), [TraceItem::Unparsed(_)]), "{end}: {items:?}");
    }
    read(&[0; 64]);
}

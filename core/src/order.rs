//! Puts in order what is short, or nearly in order already. The standard library's sorts are made for more than that, and
//! each type that they sort takes 4 KiB of code.

/// Puts a list into the order of its keys; of equal ones the first stays the first.
pub(crate) fn order<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    for end in 1..list.len() {
        let mut at = end;
        while at > 0 && key(&list[at - 1]) > key(&list[at]) {
            list.swap(at - 1, at);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn by_key_and_equal_ones_stay_as_they_were() {
        let mut list = [(3, 'a'), (1, 'a'), (2, 'a'), (1, 'b'), (3, 'b'), (0, 'a')];
        order(&mut list, |&(key, _)| key);
        assert_eq!(list, [(0, 'a'), (1, 'a'), (1, 'b'), (2, 'a'), (3, 'a'), (3, 'b')]);
        order(&mut [] as &mut [u8], |&key| key);
    }
}

//! Puts lists in order. Each type that a sort of the standard library is used with takes 4 KiB of code, or 8 where equal ones
//! keep their places; here one such sort serves all.

/// Puts a list that is short, or nearly in order already, into the order of its keys; of equal ones the first stays the first.
pub(crate) fn order<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    for end in 1..list.len() {
        let mut at = end;
        while at > 0 && key(&list[at - 1]) > key(&list[at]) {
            list.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// Puts a list of any length into the order of a number; of equal ones the first stays the first.
pub(crate) fn order_long<T>(list: &mut [T], number: impl Fn(&T) -> u64) {
    let mut places = places(list.iter().map(number).collect());
    for at in 0..list.len() {
        while places[at] as usize != at {
            let to = places[at] as usize;
            list.swap(at, to);
            places.swap(at, to);
        }
    }
}

/// The place of each number among all.
fn places(numbers: Vec<u64>) -> Vec<u32> {
    let mut order: Vec<(u64, u32)> = numbers.into_iter().zip(0..).collect();
    order_pairs(&mut order);
    let mut places = vec![0; order.len()];
    for (place, (_, at)) in (0..).zip(order) {
        places[at as usize] = place;
    }
    places
}

/// Puts pairs into their order: the one sort of the standard library.
pub(crate) fn order_pairs(list: &mut [(u64, u32)]) {
    list.sort_unstable();
}

#[cfg(test)]
mod tests {
    use super::{order, order_long};

    #[test]
    fn a_long_list_by_number_and_equal_ones_stay_as_they_were() {
        let mut number = 1_u64;
        let mut list: Vec<(u64, usize)> = (0..1000)
            .map(|at| {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (number >> 57, at)
            })
            .collect();
        let mut sorted = list.clone();
        sorted.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        order_long(&mut list, |(number, _)| !number);
        assert_eq!(list, sorted);
        order_long(&mut [] as &mut [u8], |_| 0);
    }

    #[test]
    fn by_key_and_equal_ones_stay_as_they_were() {
        let mut list = [(3, 'a'), (1, 'a'), (2, 'a'), (1, 'b'), (3, 'b'), (0, 'a')];
        order(&mut list, |&(key, _)| key);
        assert_eq!(list, [(0, 'a'), (1, 'a'), (1, 'b'), (2, 'a'), (3, 'a'), (3, 'b')]);
        order(&mut [] as &mut [u8], |&key| key);
    }
}

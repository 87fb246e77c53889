//! How an input is changed: bytes, words of the target's language, and whole lines.
//!
//! Lines matter most: what breaks a proxy is a header too many, twice, or of another message.
//! Every choice comes from a seeded generator, so that a seed replays a run.

use model::chance::Chance;

/// No input grows beyond this many bytes: a little more than the largest SIP message.
pub const LARGEST: usize = 70_000;

/// Numbers around the edges of fields and limits.
const NUMBERS: &[&str] = &[
    "0",
    "00",
    "1",
    "-1",
    "69",
    "70",
    "71",
    "100",
    "128",
    "199",
    "255",
    "256",
    "300",
    "1300",
    "2048",
    "5060",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9999999999",
    "18446744073709551616",
    "1e9",
    "0x10",
    "",
];

/// Bytes at the joints of grammars.
const JOINTS: &[u8] = b"\r\n \t:;,<>\"\\@?=%[]()*/&+-_.{}'#!|\0\x7f\x80\xff\xc3\xed09aZ";

/// Changes the input a few times. `other` is another input, to take pieces of.
pub fn mutate(chance: &mut Chance, data: &mut Vec<u8>, words: &[&[u8]], other: &[u8]) {
    let times = 1 << below(chance, 4);
    for _ in 0..=below(chance, times) {
        once(chance, data, words, other);
        data.truncate(LARGEST);
    }
}

fn once(chance: &mut Chance, data: &mut Vec<u8>, words: &[&[u8]], other: &[u8]) {
    match below(chance, 16) {
        0 => change_byte(chance, data),
        1 => {
            let at = place(chance, data);
            data.insert(at, joint(chance));
        }
        2 | 3 => insert_word(chance, data, words),
        4 => overwrite_word(chance, data, words),
        5 => remove(chance, data),
        6 => duplicate(chance, data),
        7 => splice(chance, data, other),
        8 => number(chance, data),
        9 => swap_case(chance, data),
        10 => remove_line(chance, data),
        11 => repeat_line(chance, data),
        12 => move_line(chance, data),
        13 => foreign_line(chance, data, other),
        14 => repeat_word(chance, data, words),
        _ => {
            let at = place(chance, data);
            if chance.below(8) == 0 {
                data.truncate(at);
            } else {
                change_byte(chance, data);
            }
        }
    }
}

fn below(chance: &mut Chance, bound: usize) -> usize {
    usize::try_from(chance.below(bound as u64)).unwrap_or(0)
}

/// A place between two bytes, the ends included.
fn place(chance: &mut Chance, data: &[u8]) -> usize {
    below(chance, data.len() + 1)
}

fn joint(chance: &mut Chance) -> u8 {
    if chance.below(6) == 0 {
        return u8::try_from(chance.below(256)).unwrap_or(0);
    }
    JOINTS[below(chance, JOINTS.len())]
}

fn word<'w>(chance: &mut Chance, words: &[&'w [u8]]) -> &'w [u8] {
    if words.is_empty() { b"" } else { words[below(chance, words.len())] }
}

/// A piece of up to 64 bytes, seldom of any length.
fn piece(chance: &mut Chance, data: &[u8]) -> (usize, usize) {
    let from = place(chance, data);
    let longest = if chance.below(8) == 0 { data.len() } else { 64 };
    (from, (from + below(chance, longest + 1)).min(data.len()))
}

fn change_byte(chance: &mut Chance, data: &mut [u8]) {
    if data.is_empty() {
        return;
    }
    let at = below(chance, data.len());
    data[at] = match chance.below(4) {
        0 => data[at] ^ (1 << chance.below(8)),
        1 => data[at].wrapping_add(1),
        2 => data[at].wrapping_sub(1),
        _ => joint(chance),
    };
}

fn insert_word(chance: &mut Chance, data: &mut Vec<u8>, words: &[&[u8]]) {
    let at = place(chance, data);
    data.splice(at..at, word(chance, words).iter().copied());
}

fn overwrite_word(chance: &mut Chance, data: &mut Vec<u8>, words: &[&[u8]]) {
    let (from, to) = piece(chance, data);
    data.splice(from..to, word(chance, words).iter().copied());
}

fn remove(chance: &mut Chance, data: &mut Vec<u8>) {
    let (from, to) = piece(chance, data);
    data.drain(from..to);
}

fn duplicate(chance: &mut Chance, data: &mut Vec<u8>) {
    let (from, to) = piece(chance, data);
    let copy = data[from..to].to_vec();
    let at = place(chance, data);
    data.splice(at..at, copy);
}

fn splice(chance: &mut Chance, data: &mut Vec<u8>, other: &[u8]) {
    let (from, to) = piece(chance, other);
    let at = place(chance, data);
    let end = (at + below(chance, to - from + 1)).min(data.len());
    data.splice(at..end, other[from..to].iter().copied());
}

/// Replaces the digits at or behind a place.
fn number(chance: &mut Chance, data: &mut Vec<u8>) {
    let from = place(chance, data);
    let Some(at) = data[from..].iter().position(u8::is_ascii_digit) else { return };
    let from = from + at;
    let digits = data[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = NUMBERS[below(chance, NUMBERS.len())];
    data.splice(from..from + digits, number.bytes());
}

fn swap_case(chance: &mut Chance, data: &mut [u8]) {
    let (from, to) = piece(chance, data);
    for byte in &mut data[from..to] {
        if byte.is_ascii_alphabetic() {
            *byte ^= 0x20;
        }
    }
}

/// Where a line begins and ends, its line end included.
fn line(chance: &mut Chance, data: &[u8]) -> (usize, usize) {
    let at = place(chance, data);
    let from = data[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let to =
        data[at..].iter().position(|byte| *byte == b'\n').map_or(data.len(), |end| at + end + 1);
    (from, to)
}

fn remove_line(chance: &mut Chance, data: &mut Vec<u8>) {
    let (from, to) = line(chance, data);
    data.drain(from..to);
}

/// Often twice, seldom so often that a limit is met.
fn repeat_line(chance: &mut Chance, data: &mut Vec<u8>) {
    let (from, to) = line(chance, data);
    let times = if chance.below(8) == 0 { below(chance, 140) } else { 1 + below(chance, 2) };
    let times = times.min(LARGEST / (to - from).max(1));
    let copies = data[from..to].repeat(times);
    data.splice(to..to, copies);
}

fn move_line(chance: &mut Chance, data: &mut Vec<u8>) {
    let (from, to) = line(chance, data);
    let taken: Vec<u8> = data.drain(from..to).collect();
    let (at, _) = line(chance, data);
    data.splice(at..at, taken);
}

fn foreign_line(chance: &mut Chance, data: &mut Vec<u8>, other: &[u8]) {
    let (from, to) = line(chance, other);
    let (at, end) = line(chance, data);
    let end = if chance.below(2) == 0 { at } else { end };
    data.splice(at..end, other[from..to].iter().copied());
}

fn repeat_word(chance: &mut Chance, data: &mut Vec<u8>, words: &[&[u8]]) {
    let word = word(chance, words);
    let most = if chance.below(16) == 0 { 4_000 } else { 100 };
    let times = below(chance, most).min(LARGEST / word.len().max(1));
    let at = place(chance, data);
    data.splice(at..at, word.repeat(times));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_and_another_differs() {
        let run = |seed| {
            let mut chance = Chance::new([seed, 1, 2, 3]);
            let mut data = b"INVITE sip:a SIP/2.0\r\nVia: x\r\nCSeq: 1 INVITE\r\n".to_vec();
            for _ in 0..500 {
                mutate(&mut chance, &mut data, &[b"Via: ", b"<sip:"], b"To: b\r\nFrom: c\r\n");
                assert!(data.len() <= LARGEST);
            }
            data
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn nothing_to_change_is_no_trouble() {
        let mut chance = Chance::new([1, 2, 3, 4]);
        for _ in 0..2_000 {
            mutate(&mut chance, &mut Vec::new(), &[], b"");
        }
    }
}

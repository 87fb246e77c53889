//! From when until when a certificate is valid: the only field that no library below tells us.
//!
//! Walks the outermost shape of an X.509 certificate (RFC 5280 §4.1) and nothing more; whoever
//! trusts one has it checked by the TLS library.

use model::time::Millis;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// First and last moment of validity; `None` if this is no certificate.
#[must_use]
pub fn validity(certificate: &[u8]) -> Option<(Millis, Millis)> {
    let (certificate, _) = expect(SEQUENCE, certificate)?;
    let (mut fields, _) = expect(SEQUENCE, certificate)?;
    if fields.first() == Some(&VERSION) {
        (_, _, fields) = value(fields)?;
    }
    // serial number, signature algorithm, issuer
    for _ in 0..3 {
        (_, _, fields) = value(fields)?;
    }
    let (validity, _) = expect(SEQUENCE, fields)?;
    let (tag, from, rest) = value(validity)?;
    let from = moment(tag, from)?;
    let (tag, until, _) = value(rest)?;
    Some((from, moment(tag, until)?))
}

fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = value(bytes)?;
    (found == tag).then_some((content, rest))
}

/// Tag and content of the first value, and what follows it.
fn value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let count = usize::from(first & 0x7f);
        if !(1..=3).contains(&count) {
            return None;
        }
        let (digits, behind) = rest.split_at_checked(count)?;
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        rest = behind;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDhhmmssZ` (years 1950–2049) or `YYYYMMDDhhmmssZ`; before 1970 counts as 1970.
fn moment(tag: u8, text: &[u8]) -> Option<Millis> {
    let text = str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let century = if year < "50" { "20" } else { "19" };
            (format!("{century}{year}"), rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.to_owned(), rest)
        }
        _ => return None,
    };
    if rest.len() != 11 {
        return None;
    }
    if *year < *"1970" {
        return Some(Millis(0));
    }
    let part = |at: usize| rest.get(at..at + 2);
    let (month, day) = (part(0)?, part(2)?);
    let (hour, minute, second, zone) = (part(4)?, part(6)?, part(8)?, rest.get(10..)?);
    Millis::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        match content.len() {
            short @ 0..=127 => out.push(u8::try_from(short).unwrap()),
            long => out.extend([
                0x82,
                u8::try_from(long >> 8).unwrap(),
                u8::try_from(long & 0xff).unwrap(),
            ]),
        }
        out.extend(content);
        out
    }

    fn certificate(from: (u8, &str), until: (u8, &str)) -> Vec<u8> {
        let times = [wrap(from.0, from.1.as_bytes()), wrap(until.0, until.1.as_bytes())].concat();
        let issuer = wrap(SEQUENCE, &[0x31; 200]);
        let fields = [
            wrap(VERSION, &[2, 1, 2]),
            wrap(2, &[7]),
            wrap(SEQUENCE, &[]),
            issuer,
            wrap(SEQUENCE, &times),
            wrap(SEQUENCE, &[]),
        ];
        wrap(SEQUENCE, &[wrap(SEQUENCE, &fields.concat()), wrap(SEQUENCE, &[])].concat())
    }

    #[test]
    fn both_forms_of_time() {
        let at = |text: &str| Millis::parse(text).unwrap();
        let made = certificate((UTC_TIME, "260105100000Z"), (UTC_TIME, "491231235959Z"));
        let expected = (at("2026-01-05T10:00:00Z"), at("2049-12-31T23:59:59Z"));
        assert_eq!(validity(&made), Some(expected));
        let made = certificate((UTC_TIME, "500101000000Z"), (GENERALIZED_TIME, "20510101000000Z"));
        assert_eq!(validity(&made), Some((Millis(0), at("2051-01-01T00:00:00Z"))));
    }

    #[test]
    fn what_is_cut_or_strange_is_no_certificate() {
        let made = certificate((UTC_TIME, "260105100000Z"), (UTC_TIME, "491231235959Z"));
        for end in 0..made.len() {
            assert_eq!(validity(&made[..end]), None, "{end}");
        }
        for (tag, text) in [(UTC_TIME, "2601051000Z"), (UTC_TIME, "ü60105100000Z"), (4, "x")] {
            assert_eq!(validity(&certificate((tag, text), (tag, text))), None, "{text}");
        }
        for at in 0..made.len() {
            let mut damaged = made.clone();
            damaged[at] = 0xff;
            // Whatever comes out: it comes out.
            let _ = validity(&damaged);
        }
    }
}

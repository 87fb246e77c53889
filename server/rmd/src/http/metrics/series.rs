//! A family whose series grow with the configuration has at most `rm.metrics.max_series` of them
//! (rm.md §12.2, ops.md §5).
//!
//! The first keep their own series; all others are told together, under the name `other`, apart by
//! the labels that hold words of this program: so the sum over a family is the same as without a
//! bound. Where even these are too many, one series tells all.

use std::borrow::Cow;
use std::collections::BTreeMap;
use telemetry::prometheus::Exposition;

/// Name of all that have no series of their own.
const OTHER: &str = "other";

/// A label of a family.
#[derive(Clone, Copy, Debug)]
pub(super) enum Label {
    /// Its values are names of objects.
    Name(&'static str),
    /// Its values are words of this program.
    Word(&'static str),
}

/// All samples of one family, those of the lowest dbid first.
pub(super) struct Series<'s> {
    labels: &'static [Label],
    rows: Vec<(Vec<Cow<'s, str>>, f64)>,
}

impl<'s> Series<'s> {
    pub(super) fn new(labels: &'static [Label]) -> Self {
        Self { labels, rows: Vec::new() }
    }

    /// One more: a value for each label.
    pub(super) fn push<const N: usize>(&mut self, values: [Cow<'s, str>; N], value: f64) {
        self.rows.push((values.into(), value));
    }

    /// Writes so many series of the family begun last.
    pub(super) fn write(&self, out: &mut Exposition, most: usize) {
        let (own, rest) = self.split(most);
        for (values, value) in self.rows.iter().take(own) {
            self.sample(out, values.iter().map(AsRef::as_ref), *value);
        }
        if own + rest.len() > most {
            let all = self.rows.iter().map(|(_, value)| *value).reduce(both);
            let others = self.labels.iter().map(|_| OTHER);
            return self.sample(out, others, all.unwrap_or_default());
        }
        for (words, value) in rest {
            let mut words = words.into_iter();
            let values = self.labels.iter().filter_map(|label| match label {
                Label::Name(_) => Some(OTHER),
                Label::Word(_) => words.next(),
            });
            self.sample(out, values, value);
        }
    }

    /// How many keep their own series, and what the others are together, by their words.
    fn split(&self, most: usize) -> (usize, BTreeMap<Vec<&str>, f64>) {
        let (mut own, mut rest) = (self.rows.len(), BTreeMap::new());
        for (values, value) in self.rows.iter().rev() {
            if own + rest.len() <= most {
                break;
            }
            own -= 1;
            let words = self.labels.iter().zip(values);
            let words = words.filter(|(label, _)| matches!(label, Label::Word(_)));
            let sum = rest.entry(words.map(|(_, word)| &**word).collect());
            sum.and_modify(|sum| *sum = both(*sum, *value)).or_insert(*value);
        }
        (own, rest)
    }

    fn sample<'v>(&self, out: &mut Exposition, values: impl Iterator<Item = &'v str>, value: f64) {
        let names = self.labels.iter().map(|label| match label {
            Label::Name(name) | Label::Word(name) => *name,
        });
        out.sample(&names.zip(values).collect::<Vec<_>>(), value);
    }
}

/// Two values as one; a negative one is "unlimited".
fn both(one: f64, other: f64) -> f64 {
    if one < 0.0 || other < 0.0 { -1.0 } else { one + other }
}

#[cfg(test)]
mod tests {
    use super::{Label, Series};
    use telemetry::prometheus::{Exposition, Format, Kind};

    const LABELS: &[Label] = &[Label::Word("kind"), Label::Name("object")];

    fn told(rows: &[(&str, &str, f64)], most: usize) -> Vec<String> {
        let mut series = Series::new(LABELS);
        rows.iter().for_each(|(kind, object, value)| {
            series.push([(*kind).into(), (*object).into()], *value);
        });
        let mut out = Exposition::new(Format::Text);
        out.family("x", Kind::Gauge, "x");
        series.write(&mut out, most);
        let short =
            |line: &str| line.replace("x{kind=", "").replace("object=", "").replace('"', "");
        out.finish().lines().filter(|line| line.starts_with("x{")).map(short).collect()
    }

    #[test]
    fn the_bound_is_kept_and_the_sum_stays() {
        let rows = [("t", "a", 1.0), ("t", "b", 2.0), ("s", "b", 4.0), ("t", "c", 8.0)];
        for (most, expected) in [
            (1, &["other,other} 15"][..]),
            (2, &["s,other} 4", "t,other} 11"]),
            (3, &["t,a} 1", "s,other} 4", "t,other} 10"]),
            (4, &["t,a} 1", "t,b} 2", "s,b} 4", "t,c} 8"]),
            (5, &["t,a} 1", "t,b} 2", "s,b} 4", "t,c} 8"]),
        ] {
            assert_eq!(told(&rows, most), expected, "{most}");
        }
        assert_eq!(told(&rows[..2], 1), ["t,other} 3"]);
        assert_eq!(told(&[], 1), [""; 0]);
    }

    #[test]
    fn of_an_unlimited_one_no_sum_is_told() {
        let rows = [("t", "a", 1.0), ("t", "b", -1.0), ("t", "c", 5.0)];
        assert_eq!(told(&rows, 2), ["t,a} 1", "t,other} -1"]);
    }
}

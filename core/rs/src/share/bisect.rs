//! A batch that the database refuses, until the record stands alone that it refuses (rs.md §1.4):
//! the rest is stored, and that one becomes a dead letter.

/// One try of the database: a transaction, or a savepoint in one.
pub trait Attempt {
    /// What goes wrong.
    type Error;

    /// Whether the same again would fail again, for a record's own sake.
    fn is_poison(error: &Self::Error) -> bool;

    /// Stores these items, all or none.
    ///
    /// # Errors
    /// Nothing is stored then.
    fn store(&mut self, items: &[usize]) -> Result<(), Self::Error>;

    /// Stores the dead letter of an item that was refused.
    ///
    /// # Errors
    /// Nothing is stored then.
    fn bury(&mut self, item: usize, error: &Self::Error) -> Result<(), Self::Error>;
}

/// Stores the items in order. Each that is refused costs at most log2(n)+2 attempts more: the range
/// that holds it is halved, and what lies before it is stored on the way.
///
/// # Errors
/// The first that is no record's fault; items before it are stored.
pub fn bisect<A: Attempt>(attempt: &mut A, items: &[usize]) -> Result<(), A::Error> {
    let mut rest = items;
    loop {
        let Err(error) = taken::<A>(attempt.store(rest))? else { return Ok(()) };
        let good = first_refused(attempt, rest)?;
        match rest.get(good..).and_then(<[usize]>::split_first) {
            Some((one, behind)) => {
                // it is refused by itself, or was so in company only
                if let Err(error) = taken::<A>(attempt.store(&[*one]))? {
                    attempt.bury(*one, &error)?;
                }
                rest = behind;
            }
            None => return Err(error),
        }
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// Stores what lies before the first item that is refused, and tells where that is.
fn first_refused<A: Attempt>(attempt: &mut A, items: &[usize]) -> Result<usize, A::Error> {
    let (mut good, mut bad) = (0, items.len());
    while bad - good > 1 {
        let middle = good.midpoint(bad);
        let half = items.get(good..middle).unwrap_or_default();
        match taken::<A>(attempt.store(half))? {
            Ok(()) => good = middle,
            Err(_) => bad = middle,
        }
    }
    Ok(good)
}

/// Poison is an answer, all else an error.
fn taken<A: Attempt>(tried: Result<(), A::Error>) -> Result<Result<(), A::Error>, A::Error> {
    match tried {
        Err(error) if !A::is_poison(&error) => Err(error),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Picky {
        bad: Vec<usize>,
        stored: Vec<usize>,
        buried: Vec<usize>,
        attempts: usize,
        away_at: Option<usize>,
    }

    impl Attempt for Picky {
        type Error = &'static str;

        fn is_poison(error: &&'static str) -> bool {
            *error == "poison"
        }

        fn store(&mut self, items: &[usize]) -> Result<(), &'static str> {
            self.attempts += 1;
            if Some(self.attempts) == self.away_at {
                return Err("away");
            }
            if items.iter().any(|item| self.bad.contains(item)) {
                return Err("poison");
            }
            self.stored.extend(items);
            Ok(())
        }

        fn bury(&mut self, item: usize, _: &&'static str) -> Result<(), &'static str> {
            self.buried.push(item);
            Ok(())
        }
    }

    #[test]
    fn the_rest_is_stored_in_order_and_each_bad_one_buried() {
        let all: Vec<usize> = (0..2000).collect();
        let mut picky = Picky { bad: vec![0, 1234, 1999], ..Picky::default() };
        assert_eq!(bisect(&mut picky, &all), Ok(()));
        assert_eq!(picky.buried, [0, 1234, 1999]);
        assert!(picky.stored.is_sorted());
        assert_eq!(picky.stored.len(), 1997);
        assert!(picky.attempts <= 1 + 3 * (11 + 2), "{}", picky.attempts);
    }

    #[test]
    fn what_is_no_records_fault_ends_it() {
        let mut picky = Picky { bad: vec![3], away_at: Some(4), ..Picky::default() };
        assert_eq!(bisect(&mut picky, &[1, 2, 3, 4]), Err("away"));
        assert_eq!(picky.stored, [1, 2]);
        assert_eq!(bisect(&mut picky, &[]), Ok(()));
    }
}

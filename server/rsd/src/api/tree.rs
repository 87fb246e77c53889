//! Tenants and profiles as the database has them. What each request of a bound reader asks of
//! them is read once a second at most: the applier, the jobs and other Reporting Servers of the
//! database learn new ones, each by itself, so that none of them could tell what has changed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rs::Refused;

use super::{Shared, answer, limits};
use crate::store::{Object, ObjectKind};

/// What was read last, and when.
#[derive(Default)]
pub(super) struct Tree([Mutex<Option<Read>>; ObjectKind::ALL.len()]);

#[derive(Clone)]
struct Read {
    at: Duration,
    all: Arc<[Object]>,
}

impl Shared {
    /// All objects of a kind, as they were a second ago at the earliest.
    pub(super) async fn objects(
        self: &Arc<Self>,
        kind: ObjectKind,
    ) -> Result<Arc<[Object]>, Refused> {
        let now = self.parts.clock.mono();
        let place = self.tree.0.get(kind as usize);
        let place = place.ok_or_else(answer::internal)?;
        let read = place.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(Read { at, all }) = read
            && now.saturating_sub(at) < limits::OBJECTS_AGE
        {
            return Ok(all);
        }
        // as they were last, while the database is away
        let (all, _) = self.either(move |source| source.objects(kind)).await?;
        let all: Arc<[Object]> = all.into();
        *place.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Read { at: now, all: Arc::clone(&all) });
        Ok(all)
    }
}

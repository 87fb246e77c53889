//! The body of a request: what it says it is, room for it in memory, its bytes, unpacked within
//! bounds.

use std::collections::HashMap;
use std::io::Read;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use rs::Refused;
use rs::split::Form;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Turned;
use crate::api::limits::{BODY, BODY_BYTES, COPIES, PER_ADDRESS, UNIT, WAIT, WINDOW_LOG};

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// How records stand in the body.
pub(super) fn form(headers: &HeaderMap) -> Result<Form, Refused> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => Ok(Form::Json),
        "application/x-ndjson" => Ok(Form::Lines),
        _ => {
            let text = "application/json and application/x-ndjson are taken here";
            Err(Refused::other(415, "no-such-format", text))
        }
    }
}

/// How the body is packed.
pub(super) fn packing(headers: &HeaderMap) -> Result<Packing, Refused> {
    let mut all = headers.get_all(CONTENT_ENCODING).iter();
    let (first, more) = (all.next(), all.next());
    let name = first.map_or(Ok("identity"), |value| value.to_str()).unwrap_or_default();
    match name.trim().to_ascii_lowercase().as_str() {
        "identity" if more.is_none() => Ok(Packing::Plain),
        "gzip" | "x-gzip" if more.is_none() => Ok(Packing::Gzip),
        "zstd" if more.is_none() => Ok(Packing::Zstd),
        _ => Err(Refused::other(415, "no-such-encoding", "gzip and zstd are taken here")),
    }
}

/// The memory that requests may take together, and how many there are of each address.
pub(in crate::api) struct Room {
    memory: Arc<Semaphore>,
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A request's place; given back when dropped.
pub(super) struct Place {
    _memory: OwnedSemaphorePermit,
    _seat: Seat,
}

struct Seat {
    ip: IpAddr,
    addresses: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Room {
    /// Room for so many bytes, of bodies and of what is made of them.
    pub(in crate::api) fn new(bytes: usize) -> Self {
        // never less than one request needs
        let units = (bytes / UNIT).max(COPIES * (BODY_BYTES / UNIT) + 1);
        let memory = Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS)));
        Self { memory, addresses: Arc::default() }
    }

    /// Waits for room, in line and not for ever.
    pub(super) async fn enter(
        &self,
        ip: IpAddr,
        headers: &HeaderMap,
        packing: Packing,
    ) -> Result<Place, Turned> {
        let seat = self.seat(ip)?;
        let bytes = match packing {
            Packing::Plain => length(headers)?,
            Packing::Gzip | Packing::Zstd => {
                length(headers)?;
                BODY_BYTES
            }
        };
        let units = u32::try_from(COPIES * bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let waiting = Arc::clone(&self.memory).acquire_many_owned(units);
        match timeout(WAIT, waiting).await {
            Ok(Ok(memory)) => Ok(Place { _memory: memory, _seat: seat }),
            Ok(Err(_)) | Err(_) => {
                let text = "too many records are on their way here";
                let refused = Refused::other(503, "no-memory", text);
                Err(Turned { refused, again: Some(WAIT) })
            }
        }
    }

    fn seat(&self, ip: IpAddr) -> Result<Seat, Turned> {
        let addresses = Arc::clone(&self.addresses);
        let mut taken = lock(&addresses);
        let count = taken.entry(ip).or_insert(0);
        if *count >= PER_ADDRESS {
            let text = format!("{PER_ADDRESS} requests of one address at once");
            let refused = Refused::other(429, "too-many-requests", text);
            return Err(Turned { refused, again: Some(Duration::from_secs(1)) });
        }
        *count += 1;
        drop(taken);
        Ok(Seat { ip, addresses })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = lock(&self.addresses);
        if let Some(count) = taken.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.ip);
            }
        }
    }
}

fn lock(taken: &Mutex<HashMap<IpAddr, usize>>) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that will come, at most; one that says too much need not send it.
fn length(headers: &HeaderMap) -> Result<usize, Refused> {
    let said = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    match said {
        Some(length) if length > BODY_BYTES => Err(too_large()),
        Some(length) => Ok(length),
        None => Ok(BODY_BYTES),
    }
}

fn too_large() -> Refused {
    let text = format!("a body has at most {} MiB, packed or not", BODY_BYTES >> 20);
    Refused::other(413, "too-large", text)
}

/// All of a body.
pub(super) async fn read(body: Body) -> Result<Bytes, Refused> {
    match timeout(BODY, to_bytes(body, BODY_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            // `to_bytes` tells its own limit only by the name of its cause
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            if cause.is_some_and(|cause| cause.contains("length limit")) {
                return Err(too_large());
            }
            Err(Refused::other(400, "bad-body", "the body did not come whole"))
        }
        Err(_) => Err(Refused::other(408, "slow-body", "the body took longer than 30 s")),
    }
}

/// The body as it was before it was packed; never more than its limit is made of it.
pub(super) fn unpacked(bytes: Bytes, packing: Packing) -> Result<Bytes, Refused> {
    let unpacked = match packing {
        Packing::Plain => return Ok(bytes),
        Packing::Gzip => bounded(flate2::read::MultiGzDecoder::new(&*bytes)),
        Packing::Zstd => zstd::stream::read::Decoder::new(&*bytes).and_then(|mut decoder| {
            decoder.window_log_max(WINDOW_LOG)?;
            bounded(decoder)
        }),
    };
    match unpacked {
        Ok(bytes) if bytes.len() > BODY_BYTES => Err(too_large()),
        Ok(bytes) => Ok(bytes.into()),
        Err(_) => Err(Refused::other(400, "bad-body", "the body cannot be unpacked")),
    }
}

fn bounded(packed: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(BODY_BYTES + 1).unwrap_or(u64::MAX);
    packed.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use axum::http::HeaderValue;

    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        all.iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn forms_and_packings() {
        let form_of = |kind| form(&headers(&[("content-type", kind)])).map_err(|e| e.status);
        assert_eq!(form_of("Application/JSON; charset=utf-8"), Ok(Form::Json));
        assert_eq!(form_of("application/x-ndjson"), Ok(Form::Lines));
        assert_eq!((form_of("text/plain"), form(&headers(&[])).is_err()), (Err(415), true));
        let packing_of =
            |name| packing(&headers(&[("content-encoding", name)])).map_err(|e| e.status);
        assert_eq!(packing(&headers(&[])).map_err(|e| e.status), Ok(Packing::Plain));
        assert_eq!(
            (packing_of("gzip"), packing_of("zstd")),
            (Ok(Packing::Gzip), Ok(Packing::Zstd))
        );
        assert_eq!((packing_of("br"), packing_of("gzip, gzip")), (Err(415), Err(415)));
    }

    #[test]
    fn what_is_packed_comes_back_within_bounds() {
        let text = b"{}".repeat(1000);
        for (packed, packing) in [
            (text.clone(), Packing::Plain),
            (gzip(&text), Packing::Gzip),
            ([gzip(&text[..500]), gzip(&text[500..])].concat(), Packing::Gzip),
            (zstd::bulk::compress(&text, 3).unwrap(), Packing::Zstd),
        ] {
            assert_eq!(unpacked(packed.into(), packing).unwrap(), text, "{packing:?}");
        }
        let bomb = vec![b' '; 64 << 20];
        for (packed, packing) in
            [(gzip(&bomb), Packing::Gzip), (zstd::bulk::compress(&bomb, 3).unwrap(), Packing::Zstd)]
        {
            assert!(packed.len() < 1 << 20);
            assert_eq!(unpacked(packed.into(), packing).unwrap_err().status, 413, "{packing:?}");
        }
        for (packed, packing) in [
            (gzip(&text)[..20].to_vec(), Packing::Gzip),
            (b"{}".to_vec(), Packing::Gzip),
            (b"{}".to_vec(), Packing::Zstd),
        ] {
            assert_eq!(unpacked(packed.into(), packing).unwrap_err().status, 400, "{packing:?}");
        }
    }

    #[tokio::test]
    async fn an_address_has_so_many_requests_at_once() {
        let room = Room::new(64 << 20);
        let (one, two) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        let small = headers(&[("content-length", "10")]);
        let mut places = Vec::new();
        for _ in 0..PER_ADDRESS {
            places.push(room.enter(one, &small, Packing::Plain).await.ok().unwrap());
        }
        let turned = room.enter(one, &small, Packing::Plain).await.err().unwrap();
        assert_eq!((turned.refused.status, turned.again), (429, Some(Duration::from_secs(1))));
        assert!(room.enter(two, &small, Packing::Plain).await.is_ok());
        places.pop();
        assert!(room.enter(one, &small, Packing::Plain).await.is_ok());
        let large = headers(&[("content-length", "10485761")]);
        let turned = room.enter(two, &large, Packing::Gzip).await.err().unwrap();
        assert_eq!(turned.refused.status, 413);
    }

    #[tokio::test]
    async fn without_memory_a_request_waits_for_it() {
        let room = Room::new(0);
        let (ip, none) = ([127, 0, 0, 1].into(), headers(&[]));
        let first = room.enter(ip, &none, Packing::Gzip).await.ok().unwrap();
        let mut second = Box::pin(room.enter(ip, &none, Packing::Gzip));
        assert!(timeout(Duration::from_millis(20), &mut second).await.is_err());
        drop(first);
        assert!(second.await.is_ok());
    }
}

//! The body of a request: what it says it is, room for it in memory, its bytes, unpacked within
//! bounds.

use std::collections::HashMap;
use std::io::Read;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use rs::Refused;
use rs::split::Form;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_stream::StreamExt as _;

use super::Turned;
use crate::api::limits::{BODY, BODY_BYTES, COPIES, FIRST, PER_ADDRESS, UNIT, WAIT, WINDOW_LOG};

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

/// The memory that requests may take together, and what each address has of it: half, so that no
/// address alone keeps the others waiting.
pub(in crate::api) struct Room {
    memory: Arc<Semaphore>,
    share: usize,
    addresses: Arc<Mutex<HashMap<IpAddr, Address>>>,
}

struct Address {
    requests: usize,
    memory: Arc<Semaphore>,
}

/// A request's part of the memory; given back when dropped.
pub(super) struct Place {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// A request is one of those that its address may have; given back when dropped.
pub(super) struct Seat {
    ip: IpAddr,
    memory: Arc<Semaphore>,
    addresses: Arc<Mutex<HashMap<IpAddr, Address>>>,
}

impl Room {
    /// Room for so many bytes, of bodies and of what is made of them.
    pub(in crate::api) fn new(bytes: usize) -> Self {
        // never less than one request needs
        let least = COPIES * BODY_BYTES.div_ceil(UNIT);
        let units = (bytes / UNIT).clamp(least + 1, Semaphore::MAX_PERMITS);
        let memory = Arc::new(Semaphore::new(units));
        Self { memory, share: (units / 2).max(least), addresses: Arc::default() }
    }

    /// One more request of that address.
    pub(super) fn seat(&self, ip: IpAddr) -> Result<Seat, Turned> {
        let addresses = Arc::clone(&self.addresses);
        let mut taken = lock(&addresses);
        let address = taken.entry(ip).or_insert_with(|| Address {
            requests: 0,
            memory: Arc::new(Semaphore::new(self.share)),
        });
        if address.requests >= PER_ADDRESS {
            let text = format!("{PER_ADDRESS} requests of one address at once");
            let refused = Refused::other(429, "too-many-requests", text);
            return Err(Turned { refused, again: Some(Duration::from_secs(1)) });
        }
        address.requests += 1;
        let memory = Arc::clone(&address.memory);
        drop(taken);
        Ok(Seat { ip, memory, addresses })
    }

    /// Waits for room for a body of so many bytes, in line and not for ever.
    pub(super) async fn enter(&self, seat: &Seat, bytes: usize) -> Result<Place, Turned> {
        let units = u32::try_from(COPIES * bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let own = Arc::clone(&seat.memory).acquire_many_owned(units);
        let all = Arc::clone(&self.memory).acquire_many_owned(units);
        let both = async { Ok::<_, AcquireError>(Place { _own: own.await?, _all: all.await? }) };
        match timeout(WAIT, both).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => {
                let text = "too many records are on their way here";
                let refused = Refused::other(503, "no-memory", text);
                Err(Turned { refused, again: Some(WAIT) })
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = lock(&self.addresses);
        if let Some(address) = taken.get_mut(&self.ip) {
            address.requests -= 1;
            if address.requests == 0 {
                taken.remove(&self.ip);
            }
        }
    }
}

fn lock(taken: &Mutex<HashMap<IpAddr, Address>>) -> MutexGuard<'_, HashMap<IpAddr, Address>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that will come, at most; one that says too much need not send it.
pub(super) fn length(headers: &HeaderMap) -> Result<usize, Refused> {
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

/// A body on its way.
pub(super) struct Arriving {
    stream: BodyDataStream,
    bytes: Vec<u8>,
    is_whole: bool,
    until: Instant,
}

impl Arriving {
    /// Its first bytes, or all of a small one: they need no room.
    pub(super) async fn begin(body: Body) -> Result<Self, Refused> {
        let until = Instant::now() + BODY;
        let stream = body.into_data_stream();
        let mut arriving = Self { stream, bytes: Vec::new(), is_whole: false, until };
        arriving.up_to(FIRST).await?;
        Ok(arriving)
    }

    /// Bytes for which it needs room now, when it has at most `most`.
    pub(super) fn needs(&self, most: usize, packing: Packing) -> usize {
        match packing {
            Packing::Plain if self.is_whole => self.bytes.len(),
            Packing::Plain => most,
            Packing::Gzip | Packing::Zstd => BODY_BYTES,
        }
    }

    /// All of it.
    pub(super) async fn whole(mut self) -> Result<Bytes, Refused> {
        // it may have waited for room
        self.until += WAIT;
        self.up_to(BODY_BYTES).await?;
        if self.is_whole { Ok(self.bytes.into()) } else { Err(too_large()) }
    }

    /// Reads on until it is whole or longer than so many bytes.
    async fn up_to(&mut self, bytes: usize) -> Result<(), Refused> {
        while !self.is_whole && self.bytes.len() <= bytes {
            match timeout_at(self.until, self.stream.next()).await {
                Ok(Some(Ok(chunk))) => self.bytes.extend_from_slice(&chunk),
                Ok(None) => self.is_whole = true,
                Ok(Some(Err(_))) => {
                    return Err(Refused::other(400, "bad-body", "the body did not come whole"));
                }
                Err(_) => {
                    return Err(Refused::other(408, "slow-body", "the body took longer than 30 s"));
                }
            }
        }
        Ok(())
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
    use std::net::Ipv4Addr;

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

    const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
    const TWO: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

    #[test]
    fn an_address_has_so_many_requests_at_once() {
        let room = Room::new(64 << 20);
        let mut seats: Vec<_> = (0..PER_ADDRESS).map(|_| room.seat(ONE).ok().unwrap()).collect();
        let turned = room.seat(ONE).err().unwrap();
        assert_eq!((turned.refused.status, turned.again), (429, Some(Duration::from_secs(1))));
        assert!(room.seat(TWO).is_ok());
        seats.pop();
        assert!(room.seat(ONE).is_ok());
        let large = headers(&[("content-length", "10485761")]);
        assert_eq!(length(&large).unwrap_err().status, 413);
    }

    #[tokio::test]
    async fn without_memory_a_request_waits_for_it() {
        let room = Room::new(0);
        let seat = room.seat(ONE).ok().unwrap();
        let first = room.enter(&seat, BODY_BYTES).await.ok().unwrap();
        let mut second = Box::pin(room.enter(&seat, BODY_BYTES));
        assert!(timeout(Duration::from_millis(20), &mut second).await.is_err());
        drop(first);
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn one_address_leaves_room_for_another() {
        let room = Room::new(2 * COPIES * BODY_BYTES);
        let (one, two) = (room.seat(ONE).ok().unwrap(), room.seat(TWO).ok().unwrap());
        let _first = room.enter(&one, BODY_BYTES).await.ok().unwrap();
        let mut second = Box::pin(room.enter(&one, BODY_BYTES));
        assert!(timeout(Duration::from_millis(20), &mut second).await.is_err());
        assert!(room.enter(&two, BODY_BYTES).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_comes_in_pieces() {
        for (pieces, whole) in
            [(&[1, 2][..], Some(3)), (&[FIRST, FIRST], Some(2 * FIRST)), (&[BODY_BYTES, 1], None)]
        {
            let chunks: Vec<std::io::Result<Vec<u8>>> =
                pieces.iter().map(|bytes| Ok(vec![b' '; *bytes])).collect();
            let body = Body::from_stream(tokio_stream::iter(chunks));
            let arriving = Arriving::begin(body).await.unwrap();
            let small = pieces == [1, 2];
            assert_eq!(arriving.needs(BODY_BYTES, Packing::Plain) == 3, small);
            assert_eq!(arriving.whole().await.ok().map(|bytes| bytes.len()), whole);
        }
        let cut = vec![Ok(vec![b' ']), Err(std::io::Error::other("gone"))];
        let begun = Arriving::begin(Body::from_stream(tokio_stream::iter(cut))).await;
        assert_eq!(begun.err().unwrap().status, 400);
    }
}

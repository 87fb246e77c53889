//! Whether settings agree with each other and with this machine: rules of a start that no single
//! value shows. Runs when every value by itself is right; never on a call's way.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use model::schema::Field;
use model::tree::Value;

use super::{Settings, Transport};

/// Everything that [`Settings::from_text`] refuses.
pub(super) fn check(root: &Field<'_>, settings: &Settings) {
    addresses(root, settings);
    nobody_named(root, settings);
}

/// Files that parts which are built will read: they must be there and be files.
pub(super) fn files(root: &Field<'_>) {
    let keys: [&[&'static str]; 18] = [
        &["config", "token_file"],
        &["config", "ca_file"],
        &["config", "cert_file"],
        &["config", "key_file"],
        &["config_server", "auth", "bootstrap_token_file"],
        &["config_server", "tls", "cert_file"],
        &["config_server", "tls", "key_file"],
        &["config_server", "tls", "ca_file"],
        &["rm", "http_tokens_file"],
        &["rm", "hep", "password_file"],
        &["rm", "cluster", "key_file"],
        &["rm", "reporting", "password_file"],
        &["rm", "reporting", "ca_file"],
        &["rm", "sip", "tls", "cert_file"],
        &["rm", "sip", "tls", "key_file"],
        &["rm", "sip", "tls", "ca_file"],
        &["rs", "auth", "users_file"],
        &["rs", "auth", "tokens_file"],
    ];
    let lists: [&[&'static str]; 2] =
        [&["rm", "sip", "tls", "certificates"], &["config_server", "tls", "certificates"]];
    let more = lists.iter().filter_map(|key| at(root, key));
    let pairs = more.flat_map(|field| items(&field)).flat_map(|pair| {
        [&["cert_file"], &["key_file"]].into_iter().filter_map(move |key| at(&pair, key))
    });
    for field in keys.iter().filter_map(|key| at(root, key)).chain(pairs) {
        let Some(path) = field.text() else { continue };
        if let Err(error) = readable(Path::new(path)) {
            field.note("E105", format!("\"{}\": cannot read {path}: {error}", field.name()));
        }
    }
}

/// What is no regular file, such as a pipe, is not opened: that would take from it.
fn readable(path: &Path) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if metadata.is_file() {
        File::open(path)?;
    }
    Ok(())
}

/// The value under a key, if it is there.
fn at<'n>(root: &Field<'n>, key: &[&'static str]) -> Option<Field<'n>> {
    key.iter().try_fold(root.clone(), |field, name| field.object()?.get(name))
}

/// An address that something will listen on; `field` is `None` for a default.
struct Listener<'n> {
    part: &'static str,
    name: String,
    transport: Transport,
    address: SocketAddr,
    field: Option<Field<'n>>,
}

/// No address twice. A part that the settings do not mention need not run beside the other one.
fn addresses(root: &Field<'_>, settings: &Settings) {
    let all = listeners(root, settings);
    let mentioned = |part| at(root, &[part]).is_some();
    for (index, second) in all.iter().enumerate() {
        let beside = |first: &&Listener<'_>| {
            first.part == second.part || mentioned(first.part) && mentioned(second.part)
        };
        let mut before = all.iter().take(index).filter(beside);
        let Some(first) = before.find(|first| clash(first, second)) else { continue };
        let (told, other) = match (&second.field, &first.field) {
            (Some(field), _) => (field, first),
            (None, Some(field)) => (field, second),
            (None, None) => continue,
        };
        let (name, address) = (&other.name, other.address);
        let reason = format_args!("\"{name}\" listens on {address}");
        told.invalid::<()>("address to listen on", reason).unwrap_or_default();
    }
}

fn listeners<'n>(root: &Field<'n>, settings: &Settings) -> Vec<Listener<'n>> {
    let (rm, rs, server) = (&settings.rm, &settings.rs, &settings.config_server);
    let given = at(root, &["rm", "sip", "listen"]).map(|field| items(&field)).unwrap_or_default();
    let sip = rm.sip.listen.iter().enumerate().map(|(index, listen)| Listener {
        part: "rm",
        name: format!("rm.sip.listen[{index}]"),
        transport: listen.transport,
        address: listen.addr,
        field: given.get(index).cloned(),
    });
    let one = |key: &[&'static str], transport, address| Listener {
        part: key.first().copied().unwrap_or_default(),
        name: key.join("."),
        transport,
        address,
        field: at(root, key).and_then(|field| items(&field).into_iter().next()),
    };
    let others = [
        one(&["rm", "monitor", "listen"], Transport::Udp, rm.monitor_listen),
        one(&["rm", "http"], Transport::Tcp, rm.http),
        one(&["rs", "broker"], Transport::Tcp, rs.broker),
        one(&["rs", "http"], Transport::Tcp, rs.http),
        one(&["config_server", "listen"], Transport::Tcp, server.listen),
    ];
    sip.chain(others).collect()
}

/// The items of a list, or the one value that stands for a list.
fn items<'n>(field: &Field<'n>) -> Vec<Field<'n>> {
    match field.node().value {
        Value::Seq(_) => field.list().unwrap_or_default(),
        _ => vec![field.clone()],
    }
}

/// Port 0 is a free port; a wildcard has every address of its family.
fn clash(a: &Listener<'_>, b: &Listener<'_>) -> bool {
    let (one, two) = (a.address, b.address);
    let wildcard = one.ip().is_unspecified() || two.ip().is_unspecified();
    let overlap = one.ip() == two.ip() || wildcard && one.is_ipv4() == two.is_ipv4();
    a.transport.is_stream() == b.transport.is_stream()
        && one.port() == two.port()
        && one.port() != 0
        && overlap
}

/// An RS without users: whoever comes is nobody, and on another address than loopback nobody is
/// let in unless that is said (rs.md §8).
fn nobody_named(root: &Field<'_>, settings: &Settings) {
    let rs = &settings.rs;
    if rs.auth.users_file.is_some() {
        return;
    }
    for (key, address) in [("http", rs.http), ("broker", rs.broker)] {
        let Some(field) = at(root, &["rs", key]).filter(|_| !address.ip().is_loopback()) else {
            continue;
        };
        if rs.auth.anonymous.is_none() {
            let text = "is not loopback: without users it needs rs.auth.anonymous: true";
            field.note("E103", format!("rs.{key}: {address} {text}"));
        }
        if key == "broker" && rs.auth.anonymous_broker.is_none() {
            let text = "is not loopback: without users it needs rs.auth.anonymous_broker: true";
            field.note("E103", format!("rs.{key}: {address} {text}"));
        }
    }
    for (key, given) in
        [("anonymous", rs.auth.anonymous), ("anonymous_broker", rs.auth.anonymous_broker)]
    {
        let Some(field) = at(root, &["rs", "auth", key]).filter(|_| given == Some(false)) else {
            continue;
        };
        let text = "would let nobody in: there is no rs.auth.users_file";
        field.note("E107", format!("{}: false {text}", field.name()));
    }
}

//! Limits of the Config Server's client (ops.md §1.7, §1.10), each with what happens beyond it.

use std::time::Duration;

/// Nothing was heard for so long: the connection is dead.
pub(super) const SILENCE: Duration = Duration::from_secs(30);
/// Without a server for so long: it is told (log 20601, alarm).
pub(super) const LOST: Duration = Duration::from_secs(30);
/// The first wait before the servers are tried again; doubled each time …
pub(super) const RETRY_FIRST: Duration = Duration::from_millis(250);
/// … up to this.
pub(super) const RETRY_MOST: Duration = Duration::from_secs(5);
/// A server that is behind what we hold has so long to come up to it. Beyond: the next one.
pub(super) const BEHIND: Duration = Duration::from_secs(5);
/// How often it is asked meanwhile.
pub(super) const BEHIND_STEP: Duration = Duration::from_millis(500);
/// How often the servers before the one that is listened to are asked what they hold.
pub(super) const LOOK_EARLIER: Duration = Duration::from_secs(10);
/// A connect that is not up by then has failed.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// How often the server is told what is in force.
pub(super) const REPORT: Duration = Duration::from_secs(30);
/// A report that is not answered by then is given up; the next one says the same.
pub(super) const REPORT_TIME: Duration = Duration::from_secs(5);
/// Bytes of one event of the watch; the server sends nothing above 8 MiB. Beyond: a snapshot.
pub(super) const EVENT: usize = 9 << 20;
/// Bytes of one line of a snapshot: a document of 4 MiB, escaped. Beyond: the answer is refused.
pub(super) const LINE: usize = 9 << 20;
/// Bytes of a snapshot: two million numbers and what is around them. Beyond: it is refused.
pub(super) const SNAPSHOT: usize = 256 << 20;
/// Bytes of a token file: a token, not a document.
pub(super) const TOKEN: u64 = 4 * 1024;
/// Bytes of a file of authorities.
pub(super) const AUTHORITIES: u64 = 4 << 20;
/// What is in force is kept on disk when nothing has come for so long …
pub(super) const KEEP_IDLE: Duration = Duration::from_secs(1);
/// … and after so long in any case: changes that come quickly are one write.
pub(super) const KEEP_MOST: Duration = Duration::from_secs(5);
/// What the disk did not take is tried again after so long.
pub(super) const KEEP_AGAIN: Duration = Duration::from_secs(30);
/// How often a file of objects is looked at; it is read when two looks in a row are alike.
pub(super) const LOOK: Duration = Duration::from_secs(2);

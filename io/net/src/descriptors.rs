//! How many files and sockets this process may have open: asked of the kernel, and raised.
//!
//! It must not decide what follows from too few of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that this process may have, after asking the kernel for as many as are needed; never
/// fewer than before.
#[must_use]
pub fn raise(needed: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(current) = current else { return u64::MAX };
    if current >= needed {
        return current;
    }
    let wanted = maximum.map_or(needed, |maximum| needed.min(maximum));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => wanted,
        Err(_) => current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_raised_up_to_what_the_system_allows_and_never_lowered() {
        let now = raise(0);
        let maximum = getrlimit(Resource::Nofile).maximum;
        assert!(now > 0 && raise(1) == now);
        let most = raise(u64::MAX);
        assert_eq!(most, maximum.unwrap_or(most));
        assert!(most >= now && raise(0) == most);
    }
}

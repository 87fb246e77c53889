//! Platform objects of a tenant that has a number and media servers of its own, so that several
//! can be tried on one platform without one meeting another.

use std::net::SocketAddr;

use crate::player::Play;

/// A tenant; everything of it has its name.
pub(crate) struct Tenant<'a> {
    pub(crate) name: &'a str,
    pub(crate) number: &'a str,
    /// What its spec says, in braces.
    pub(crate) spec: &'a str,
    /// The same of its profile.
    pub(crate) profile: &'a str,
    /// What its group says besides, as within braces.
    pub(crate) group: &'a str,
    /// Where the media servers are: `NAME-1` and so on.
    pub(crate) servers: &'a [SocketAddr],
}

const VOICE: &str = "{ service: voicexml, initial_page_url: \"http://apps.example/start.vxml\" }";

impl<'a> Tenant<'a> {
    /// Calls to `number` get a page. A server that is silent is not given up, however busy the
    /// machine may be.
    pub(crate) fn new(name: &'a str, number: &'a str, servers: &'a [SocketAddr]) -> Self {
        let group = "services: [voicexml], try_timeout: 30s";
        Self { name, number, spec: "{}", profile: VOICE, group, servers }
    }

    /// Its documents, with the separator before each.
    pub(crate) fn objects(&self) -> String {
        let Self { name, number, spec, profile, group, servers } = self;
        let servers: String = (1..)
            .zip(*servers)
            .map(|(n, at)| format!("    {{ name: {name}-{n}, address: \"sip:{at}\" }},\n"))
            .collect();
        format!(
            "---\nkind: Tenant\nname: {name}\nspec: {spec}\n---\n\
             kind: IvrProfile\nname: {name}\ntenant: {name}\nspec: {profile}\n---\n\
             kind: DidGroup\nname: {name}\ntenant: {name}\n\
             spec: {{ profile: {name}, dids: [\"{number}\"] }}\n---\n\
             kind: ResourceGroup\nname: {name}\ntenant: {name}\n\
             spec: {{ {group}, monitor: {{ method: none }}, resources: [\n{servers}  ] }}\n"
        )
    }
}

/// Addresses for media servers that start later.
pub(crate) fn places<const COUNT: usize>() -> [SocketAddr; COUNT] {
    std::array::from_fn(|_| Play::reserve())
}

//! What is asked of a running daemon over HTTP, or done to it, and its refusals as exit codes.

mod refusal;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Url, header};
use serde_json::Value;

use config::settings::{Certificate, ConfigClient, ServerUrl};
use config::source::trust;
use net::Clock;

use crate::cli::{FromRm, FromRs, FromServer};
use crate::exit::{Exit, Failure};
use refusal::refused;
pub(crate) use refusal::{fault, told};

/// A daemon to ask: address, token, and how long all questions together may take.
pub(crate) struct Daemon<'a> {
    base: Url,
    token: Option<String>,
    /// A user's name and password.
    login: Option<(String, String)>,
    /// Whom one trusts, and what one shows.
    trust: ConfigClient,
    timeout: Duration,
    clock: Clock,
    shown: &'a str,
    /// What answers there.
    what: &'static str,
}

/// Bytes of an answer that are read; a page of calls has some hundred thousand.
const ANSWER_BYTES: usize = 16 << 20;
/// Who asks, as the history shows it.
const AGENT: &str = concat!("ringmaster/", env!("CARGO_PKG_VERSION"));
/// RM gives at most so many objects per page.
const PAGE: &str = "1000";

impl<'a> Daemon<'a> {
    pub(crate) fn new(from: &'a FromRm) -> Result<Self, Failure> {
        Self::at(&from.rm, from.token_file.as_deref(), from.timeout, "a Resource Manager")
    }

    /// The Reporting Server.
    pub(crate) fn reporting_server(from: &'a FromRs) -> Result<Self, Failure> {
        let trust = ConfigClient { ca_file: from.ca_file.clone(), ..ConfigClient::default() };
        let password = from.password_file.as_deref().map(first_line).transpose()?;
        let asked =
            Self::at(&from.rs, from.token_file.as_deref(), from.timeout, "a Reporting Server")?;
        Self { login: from.user.clone().zip(password), ..asked }.trusting(trust)
    }

    /// The Config Server.
    pub(crate) fn config_server(from: &'a FromServer) -> Result<Self, Failure> {
        let certificate = from.cert_file.clone().zip(from.key_file.clone());
        let trust = ConfigClient {
            ca_file: from.ca_file.clone(),
            certificate: certificate
                .map(|(cert_file, key_file)| Certificate { cert_file, key_file }),
            server_name: from.server_name.clone(),
            ..ConfigClient::default()
        };
        let token_file = from.token_file.as_deref();
        let asked = Self::at(&from.server, token_file, from.timeout, "a Config Server")?;
        asked.trusting(trust)
    }

    /// The Config Server of boot settings.
    pub(crate) fn of_settings(
        url: &'a ServerUrl,
        client: &ConfigClient,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let token_file = client.token_file.as_deref();
        let asked = Self::at(url.url().as_str(), token_file, timeout, "a Config Server")?;
        asked.trusting(client.clone())
    }

    fn trusting(self, trust: ConfigClient) -> Result<Self, Failure> {
        let asked = Self { trust, ..self };
        // files that cannot be used are told before anybody is asked
        asked.client().map(drop)?;
        Ok(asked)
    }

    fn at(
        text: &'a str,
        token_file: Option<&Path>,
        timeout: Duration,
        what: &'static str,
    ) -> Result<Self, Failure> {
        let token = token_file.map(read_token).transpose()?;
        let base = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let base = Url::parse(&base)
            .map_err(|error| Failure::new(Exit::Usage, format!("{text}: {error}")))?;
        let clock = Clock::start();
        let trust = ConfigClient::default();
        Ok(Self { base, token, login: None, trust, timeout, clock, shown: text, what })
    }

    /// GETs JSON that has this member. `query` pairs whose value is absent are left out.
    pub(crate) fn json(
        &self,
        path: &str,
        query: &[(&str, Option<&str>)],
        member: &str,
    ) -> Result<Value, Failure> {
        self.send(Method::GET, path, query, None, member)
    }

    /// Does something, and gives back JSON that has this member.
    pub(crate) fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, Option<&str>)],
        body: Option<&Value>,
        member: &str,
    ) -> Result<Value, Failure> {
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        let question = Question { method, path, query, body, ..Question::default() };
        let text = self.text(question)?;
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        if value.get(member).is_none() {
            let text = format!("{}{path}: this is no answer of {}", self.shown, self.what);
            return Err(Failure::new(Exit::PeerAway, text));
        }
        Ok(value)
    }

    /// Asks a question of any kind, and gives back the text of a good answer.
    pub(crate) fn text(&self, question: Question<'_>) -> Result<String, Failure> {
        let path = question.path;
        let (status, body) = self.whole(question)?;
        if (200..300).contains(&status) { Ok(body) } else { Err(refused(status, path, &body)) }
    }

    /// Status and text of whatever is answered.
    pub(crate) fn whole(&self, question: Question<'_>) -> Result<(u16, String), Failure> {
        run(self.answer(question))
    }

    /// GETs what has no end, and hands over each piece as it comes, until `take` says that it is
    /// enough or the other side closes. The daemon may take its time, but not to begin.
    pub(crate) fn stream(
        &self,
        path: &str,
        query: &[(&str, Option<&str>)],
        mut take: impl FnMut(&[u8]) -> Result<ControlFlow<()>, Failure>,
    ) -> Result<(), Failure> {
        run(async {
            let question = Question { path, query, ..Question::default() };
            let (client, base) = self.client()?;
            let request = self.request(&client.build().map_err(away)?, base, question);
            let begun = tokio::time::timeout(self.timeout, request.send()).await;
            let begun = begun.map_err(|_| {
                Failure::new(Exit::PeerAway, format!("{}{path}: no answer", self.shown))
            })?;
            let mut response = begun.map_err(away)?;
            let status = response.status().as_u16();
            if status != 200 {
                let body = response.text().await.map_err(away)?;
                return Err(refused(status, path, &body));
            }
            let kind = response.headers().get(header::CONTENT_TYPE);
            if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
                let text = format!("{}{path}: this is no answer of {}", self.shown, self.what);
                return Err(Failure::new(Exit::Usage, text));
            }
            while let Some(piece) = response.chunk().await.map_err(away)? {
                if take(&piece)?.is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// All pages of a list that has this member.
    pub(crate) fn pages(
        &self,
        path: &str,
        query: &[(&str, Option<&str>)],
        member: &str,
    ) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = query.to_vec();
            query.extend([("limit", Some(PAGE)), ("cursor", cursor.as_deref())]);
            let page = self.json(path, &query, member)?;
            all.extend(page[member].as_array().cloned().unwrap_or_default());
            match page["cursor"].as_str().or(page["next"].as_str()) {
                Some(next) if cursor.as_deref() == Some(next) => {
                    let text = format!("{path}: the same page again and again");
                    return Err(Failure::new(Exit::PeerAway, text));
                }
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(all),
            }
        }
    }

    async fn answer(&self, question: Question<'_>) -> Result<(u16, String), Failure> {
        let (left, most) = (self.timeout.saturating_sub(self.clock.mono()), question.most);
        let (client, base) = self.client()?;
        let client = client.timeout(left).build().map_err(away)?;
        let mut response = self.request(&client, base, question).send().await.map_err(away)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(away)? {
            if body.len() + chunk.len() > most {
                let text = format!("{}: the answer is too long", self.shown);
                return Err(Failure::new(Exit::PeerAway, text));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// A client, and the URL under which it asks.
    fn client(&self) -> Result<(ClientBuilder, Url), Failure> {
        let made = trust::client(&self.trust, &self.base, self.clock.now().wall);
        let (client, base) = made.map_err(|error| Failure::new(Exit::Settings, error))?;
        Ok((client.user_agent(AGENT), base))
    }

    fn request(&self, client: &Client, mut url: Url, question: Question<'_>) -> RequestBuilder {
        url.set_path(question.path);
        for (name, value) in question.query {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        let mut request = client.request(question.method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some((user, password)) = &self.login {
            request = request.basic_auth(user, Some(password));
        }
        match question.body {
            Some((kind, body)) => request.header(header::CONTENT_TYPE, kind).body(body),
            None => request,
        }
    }
}

/// What is asked, and how.
pub(crate) struct Question<'q> {
    pub(crate) method: Method,
    pub(crate) path: &'q str,
    /// Pairs whose value is absent are left out.
    pub(crate) query: &'q [(&'q str, Option<&'q str>)],
    /// Its media type and its bytes.
    pub(crate) body: Option<(&'static str, Vec<u8>)>,
    /// Bytes of the answer that are read.
    pub(crate) most: usize,
}

impl Default for Question<'_> {
    fn default() -> Self {
        Self { method: Method::GET, path: "/", query: &[], body: None, most: ANSWER_BYTES }
    }
}

/// The status of a probe; `None` when nobody answers. Nothing is told to whoever answers, and
/// nothing but a number is taken: its certificate is not looked at.
pub(crate) fn probe(url: &str) -> Option<u16> {
    let asked = run(async {
        let client = Client::builder().timeout(Duration::from_secs(3)).no_proxy();
        let client = client.tls_danger_accept_invalid_certs(true).build();
        let response = client.map_err(away)?.get(url).send().await.map_err(away)?;
        Ok(response.status().as_u16())
    });
    asked.ok()
}

fn run<T>(asking: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Local, error.to_string()))?
        .block_on(asking)
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let unusable = |text: String| Failure::new(Exit::Settings, text);
    let token = std::fs::read_to_string(path)
        .map_err(|error| unusable(format!("{}: {error}", path.display())))?;
    let token = token.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let text = format!("{}: expected one line with a token", path.display());
        return Err(unusable(text));
    }
    Ok(token.to_owned())
}

fn first_line(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(Exit::Settings, format!("{}: {error}", path.display())))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// A name as one part of a path. Dots alone would lead elsewhere, and are nobody's name.
pub(crate) fn segment(name: &str) -> Result<String, Failure> {
    if name.is_empty() || name.bytes().all(|byte| byte == b'.') {
        return Err(Failure::new(Exit::NotFound, format!("\"{name}\" is nobody's name")));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte);
    let part = |byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    Ok(name.bytes().map(part).collect())
}

/// One line with the innermost cause, which is what tells.
fn away(error: reqwest::Error) -> Failure {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let url = error.url().map(ToString::to_string).unwrap_or_default();
    Failure::new(Exit::PeerAway, format!("{url}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::segment;

    #[test]
    fn a_name_stays_one_part_of_a_path() {
        let cases = [
            ("acme-main", "acme-main"),
            ("dbid:101", "dbid:101"),
            ("a b/c?d#e%", "a%20b%2Fc%3Fd%23e%25"),
            ("../../tokens/x", "..%2F..%2Ftokens%2Fx"),
        ];
        for (name, part) in cases {
            assert_eq!(segment(name).unwrap(), part);
        }
        for name in ["", ".", ".."] {
            assert!(segment(name).is_err(), "{name:?}");
        }
    }
}

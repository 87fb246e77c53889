//! Variables of GVP's containers as settings of ours (ops.md §3.1): they stand above the file and
//! below our own variables.

use model::schema::Problem;
use model::tree::Position;
use serde_json::Value as Json;

/// A variable of GVP that is text, and the key that it sets.
const TEXTS: &[(&str, &str)] = &[
    ("CFGAPP", "CONFIG_HANDLER__CLIENT"),
    ("RMAPP", "CONFIG_HANDLER__RM_APP"),
    ("RMFOLDER", "CONFIG_HANDLER__FOLDER"),
    ("MCPFOLDER", "CONFIG_HANDLER__GROUP"),
    ("RSAPP", "RS_INIT__APP"),
    ("SNMPAPP", "CONFIG_HANDLER__SNMP_APP"),
    ("CONFSERVERAPP", "CONFIG_HANDLER__CONFIG_APP"),
    ("VOICEMAILSERVICEDIDNUMBER", "CONFIG_HANDLER__VOICEMAIL_DID"),
    ("EnvironmentType", "CONFIG_HANDLER__ENVIRONMENT"),
    ("POD_NAME", "CONFIG_HANDLER__NODE"),
    ("POD_NAMESPACE", "CONFIG_HANDLER__NAMESPACE"),
];

/// The same for those that are read like YAML.
const VALUES: &[(&str, &str)] = &[
    ("RMCONFIG", "CONFIG_HANDLER__RM_OPTIONS"),
    ("LRGConfig", "CONFIG_HANDLER__GROUP_OPTIONS"),
    ("RSCONFIG", "RS_INIT__OPTIONS"),
    ("RM_REPLICAS", "CONFIG_HANDLER__REPLICAS"),
];

/// Variables that name a file with what another one holds.
const FILES: &[(&str, &str)] = &[
    ("RMCONFIG_FILE", "CONFIG_HANDLER__RM_OPTIONS"),
    ("LRGCONFIG_FILE", "CONFIG_HANDLER__GROUP_OPTIONS"),
];

/// Variables of GVP that hold a password.
const PASSWORDS: &[&str] = &[
    "CFGPASSWORD",
    "DBPASSWORD",
    "DBADMINPASSWORD",
    "MSSQLPASSWORD",
    "MSSQLADMINPASSWORD",
    "rsDbSharedPassword",
];

/// What the variables of GVP set, in the form of ours. `read` gives a file's text.
///
/// # Errors
/// E105 for a password in a variable, and for a file that cannot be read.
pub fn variables(
    environment: &[(String, String)],
    read: impl Fn(&str) -> Result<String, String>,
) -> Result<Vec<(String, String)>, Vec<Problem>> {
    let value = |wanted: &str| {
        let found = environment.iter().find(|(name, value)| name == wanted && !value.is_empty());
        found.map(|(_, value)| value.clone())
    };
    let mut problems = Vec::new();
    for name in PASSWORDS.iter().filter(|name| value(name).is_some()) {
        let hint = match *name {
            "CFGPASSWORD" => "secrets are given by files: set config.token_file instead",
            _ => "secrets are given by files: set the key that ends in _file instead",
        };
        problems.push(problem(name, format!("\"{name}\" holds a password: {hint}")));
    }
    let ours = |key: &str| format!("RINGMASTER_{key}");
    let mut set = Vec::new();
    set.extend(servers(value).map(|servers| (ours("CONFIG__SERVER"), servers)));
    for (name, key) in TEXTS {
        // a number of a phone is a text
        set.extend(value(name).map(|value| (ours(key), Json::from(value).to_string())));
    }
    for (name, key) in VALUES {
        set.extend(value(name).map(|value| (ours(key), value)));
    }
    for (name, key) in FILES {
        match value(name).map(|path| read(&path)) {
            None => {}
            Some(Ok(text)) => set.push((ours(key), text)),
            Some(Err(error)) => {
                problems.push(problem(name, format!("cannot read the file: {error}")));
            }
        }
    }
    if problems.is_empty() { Ok(set) } else { Err(problems) }
}

/// `CFGSERVER`, `CFGSERVERBACKUP` and `CFGPORT` as a list of URLs.
fn servers(value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let port = value("CFGPORT");
    let url = |host: String| {
        let url = if host.contains("://") { host } else { format!("http://{host}") };
        let authority = url.split_once("://").map_or("", |(_, rest)| rest);
        let has_port = authority.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
        match &port {
            Some(port) if !has_port => format!("{url}:{port}"),
            _ if !has_port => format!("{url}:8888"),
            _ => url,
        }
    };
    let servers = [value("CFGSERVER"), value("CFGSERVERBACKUP")].into_iter().flatten().map(url);
    let servers: Vec<String> = servers.map(|url| format!("{url:?}")).collect();
    (!servers.is_empty()).then(|| format!("[{}]", servers.join(", ")))
}

fn problem(name: &str, message: String) -> Problem {
    Problem {
        code: "E105",
        at: Position::default(),
        path: String::new(),
        message,
        file: Some(name.into()),
        object: None,
    }
}

#[cfg(test)]
mod tests {
    use super::variables;

    fn of(pairs: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        let read = |path: &str| match path {
            "there" => Ok("{ rm: { x: 1 } }".to_owned()),
            _ => Err("not there".to_owned()),
        };
        variables(&pairs, read)
            .map_err(|problems| problems.iter().map(|problem| format!("{problem}\n")).collect())
    }

    #[test]
    fn names_of_gvp_set_keys_of_ours() {
        let given = [
            ("CFGSERVER", "confserv"),
            ("CFGSERVERBACKUP", "https://other:9"),
            ("CFGPORT", "8889"),
            ("RMAPP", "RM_APP"),
            ("VOICEMAILSERVICEDIDNUMBER", "18005550199"),
            ("RMCONFIG_FILE", "there"),
            ("RM_REPLICAS", "2"),
            ("HOME", "/"),
            ("SNMPAPP", ""),
        ];
        let pair = |name: &str, value: &str| (format!("RINGMASTER_{name}"), value.to_owned());
        let expected = [
            pair("CONFIG__SERVER", "[\"http://confserv:8889\", \"https://other:9\"]"),
            pair("CONFIG_HANDLER__RM_APP", "\"RM_APP\""),
            pair("CONFIG_HANDLER__VOICEMAIL_DID", "\"18005550199\""),
            pair("CONFIG_HANDLER__REPLICAS", "2"),
            pair("CONFIG_HANDLER__RM_OPTIONS", "{ rm: { x: 1 } }"),
        ];
        assert_eq!(of(&given).unwrap(), expected);
        let alone = of(&[("CFGSERVER", "[::1]")]).unwrap();
        assert_eq!(alone, [pair("CONFIG__SERVER", "[\"http://[::1]:8888\"]")]);
    }

    #[test]
    fn passwords_and_missing_files_are_refused() {
        let told = of(&[("DBPASSWORD", "x"), ("LRGCONFIG_FILE", "gone")]).unwrap_err();
        let expected = "DBPASSWORD: E105: \"DBPASSWORD\" holds a password: secrets are given by \
                        files: set the key that ends in _file instead\n\
                        LRGCONFIG_FILE: E105: cannot read the file: not there\n";
        assert_eq!(told, expected);
    }
}

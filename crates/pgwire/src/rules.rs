//! Who is let in from where, and how they prove who they are: `loopback=trust,10.0.0.0/8=scram-sha-256`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// It does not: whoever it says.
    Trust,
    /// By a password that it does not send.
    Scram,
    /// It can't.
    Reject,
}

/// Which clients a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    All,
    /// Those on the machine of the server.
    Loopback,
    /// Those whose addresses begin with so many bits of this one.
    Network(IpAddr, u8),
}

/// Rules for clients by their addresses, of which the first that is for a client counts. Whom none is for is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthRules(Vec<(From, Method)>);

impl AuthRules {
    /// Whoever is on the machine of the server is let in.
    pub fn loopback_only() -> AuthRules {
        AuthRules(vec![(From::Loopback, Method::Trust)])
    }

    /// How a client of this address proves who it is.
    pub fn method(&self, address: IpAddr) -> Method {
        let address = address.to_canonical();
        let rule = self.0.iter().find(|(from, _)| from.contains(address));
        rule.map_or(Method::Reject, |(_, method)| *method)
    }

    /// Whether a client may have to give a password.
    pub fn ask_for_passwords(&self) -> bool {
        self.0.iter().any(|(_, method)| *method == Method::Scram)
    }

    /// Whether others than those on the machine of the server may be let in without a password.
    pub fn trust_others(&self) -> bool {
        self.0.iter().any(|(from, method)| {
            let is_loopback = match from {
                From::Network(address, _) => address.is_loopback(),
                from => *from == From::Loopback,
            };
            *method == Method::Trust && !is_loopback
        })
    }
}

impl From {
    fn contains(self, address: IpAddr) -> bool {
        match self {
            From::All => true,
            From::Loopback => address.is_loopback(),
            From::Network(network, bits) => match (network, address) {
                (IpAddr::V4(network), IpAddr::V4(address)) => {
                    let differs = network.to_bits() ^ address.to_bits();
                    differs.leading_zeros() >= u32::from(bits)
                }
                (IpAddr::V6(network), IpAddr::V6(address)) => {
                    let differs = network.to_bits() ^ address.to_bits();
                    differs.leading_zeros() >= u32::from(bits)
                }
                _ => false,
            },
        }
    }
}

impl FromStr for AuthRules {
    type Err = String;

    /// Rules with commas between them; a method alone is for all clients.
    fn from_str(text: &str) -> Result<AuthRules, String> {
        text.split(',').map(|rule| parse_rule(rule.trim())).collect::<Result<_, _>>().map(AuthRules)
    }
}

fn parse_rule(rule: &str) -> Result<(From, Method), String> {
    let (from, method) = rule.split_once('=').unwrap_or(("all", rule));
    let method = match method {
        "trust" => Method::Trust,
        "scram-sha-256" => Method::Scram,
        "reject" => Method::Reject,
        other => return Err(format!("there is no method {other:?}: trust, scram-sha-256 or reject")),
    };
    let from = match from {
        "all" => From::All,
        "loopback" => From::Loopback,
        network => parse_network(network)?,
    };
    Ok((from, method))
}

fn parse_network(text: &str) -> Result<From, String> {
    let wrong = || format!("{text:?} is neither all, loopback, nor an address such as 10.0.0.0/8");
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse().map_err(|_| wrong())?)),
        None => (text, None),
    };
    let address = address.parse::<IpAddr>().map_err(|_| wrong())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(most);
    if bits > most { Err(wrong()) } else { Ok(From::Network(address, bits)) }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Trust => "trust",
            Method::Scram => "scram-sha-256",
            Method::Reject => "reject",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(rules: &str, address: &str) -> Method {
        rules.parse::<AuthRules>().unwrap().method(address.parse().unwrap())
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let rules = "loopback=trust,10.1.2.3=reject,10.0.0.0/8=scram-sha-256";
        assert_eq!(method(rules, "127.0.0.1"), Method::Trust);
        assert_eq!(method(rules, "::1"), Method::Trust);
        assert_eq!(method(rules, "::ffff:127.0.0.1"), Method::Trust);
        assert_eq!(method(rules, "10.1.2.3"), Method::Reject);
        assert_eq!(method(rules, "10.1.2.4"), Method::Scram);
        assert_eq!(method(rules, "11.1.2.4"), Method::Reject);
        assert_eq!(method("scram-sha-256", "8.8.8.8"), Method::Scram);
        assert_eq!(method("fd00::/8=trust", "fd12::1"), Method::Trust);
    }

    #[test]
    fn rules_that_open_the_door_are_known() {
        let trusts = |rules: &str| rules.parse::<AuthRules>().unwrap().trust_others();
        assert!(trusts("trust") && trusts("loopback=trust,10.0.0.0/8=trust"));
        assert!(!trusts("loopback=trust,scram-sha-256") && !trusts("127.0.0.1=trust"));
    }

    #[test]
    fn nonsense_is_refused() {
        for rules in ["", "md5", "all=md5", "10.0.0.0/33=trust", "somewhere=trust", "loopback=trust,"] {
            assert!(rules.parse::<AuthRules>().is_err(), "{rules}");
        }
    }
}

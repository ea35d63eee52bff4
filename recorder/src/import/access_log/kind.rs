//! Which formats there are, and how each is known.

use std::fmt;

/// Formats of access logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// nginx's default and Apache's combined; the number behind it, if there is one, is a duration
    /// where its unit was given.
    Combined,
    /// Apache's common.
    Common,
    /// Apache's vhost_combined: host and port before it.
    VhostCombined,
    /// ingress-nginx of Kubernetes: behind it the length of the request, and its time in seconds.
    Ingress,
    /// Traefik's: behind it a count, router, server, and the duration in milliseconds.
    Traefik,
    TraefikJson,
    Caddy,
    /// Envoy's default.
    Envoy,
    /// AWS Application Load Balancer.
    Alb,
    /// A JSON object a line.
    Json,
}

impl Kind {
    /// What is more special first: a line may be in several.
    pub const ALL: [Self; 10] = [
        Self::Ingress,
        Self::Traefik,
        Self::VhostCombined,
        Self::TraefikJson,
        Self::Caddy,
        Self::Envoy,
        Self::Alb,
        Self::Combined,
        Self::Common,
        Self::Json,
    ];

    /// The format that a line in none of them resembles most.
    pub(super) fn nearest(line: &str) -> Self {
        let first = line.split(' ').next().unwrap_or_default();
        if line.starts_with('{') {
            Self::Json
        } else if line.starts_with('[') {
            Self::Envoy
        } else if matches!(first, "http" | "https" | "h2" | "grpcs" | "ws" | "wss") {
            Self::Alb
        } else if line.matches('"').count() == 2 {
            Self::Common
        } else {
            Self::Combined
        }
    }

    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Combined => {
                r#"192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 12 "-" "agent""#
            }
            Self::Common => {
                r#"192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 12"#
            }
            Self::VhostCombined => {
                r#"h:80 192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 12 "-" "agent""#
            }
            Self::Ingress => {
                r#"192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 12 "-" "agent" 91 0.012 [web-80] [] 10.0.0.1:80 12 0.012 200 0a1b"#
            }
            Self::Traefik => {
                r#"192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /a HTTP/1.1" 200 12 "-" "agent" 1 "web@docker" "http://10.0.0.1:80" 12ms"#
            }
            Self::TraefikJson => {
                r#"{"StartUTC":"2026-10-10T13:55:36Z","RequestMethod":"GET","RequestPath":"/a","DownstreamStatus":200,"Duration":12000000}"#
            }
            Self::Caddy => {
                r#"{"ts":1791640536.5,"request":{"method":"GET","host":"h","uri":"/a"},"duration":0.012,"status":200}"#
            }
            Self::Envoy => {
                r#"[2026-10-10T13:55:36.123Z] "GET /a HTTP/1.1" 200 - 0 12 12 11 "192.0.2.1" "agent" "0a1b" "h" "10.0.0.1:80""#
            }
            Self::Json => {
                r#"{"time":"2026-10-10T13:55:36Z","method":"GET","path":"/a","status":200}"#
            }
            Self::Alb => {
                r#"http 2026-10-10T13:55:36.123456Z app/lb/1 192.0.2.1:2817 10.0.0.1:80 0.000 0.001 0.000 200 200 34 366 "GET http://h:80/a HTTP/1.1" "agent" …"#
            }
        }
    }

    /// Whether its times are of a request's start, as its documentation has it. Apache's are, too,
    /// but nginx writes the same lines with those of the end.
    pub(super) fn is_of_start(self) -> bool {
        matches!(self, Self::VhostCombined | Self::Traefik | Self::TraefikJson | Self::Envoy)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Combined => "combined",
            Self::Common => "common",
            Self::VhostCombined => "vhost-combined",
            Self::Ingress => "ingress",
            Self::Traefik => "traefik",
            Self::TraefikJson => "traefik-json",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
            Self::Json => "json",
            Self::Alb => "alb",
        })
    }
}

/// What a line is of that none of the formats has, if that is known.
pub(super) fn looks_like(line: &str) -> Option<&'static str> {
    let is_syslog = line.starts_with('<')
        && line.split_once('>').is_some_and(|(level, _)| {
            level.len() > 1 && level[1..].bytes().all(|byte| byte.is_ascii_digit())
        });
    if line.contains(" haproxy[") {
        Some("a log of HAProxy")
    } else if ["#Software:", "#Version:", "#Fields:", "#Date:"]
        .iter()
        .any(|of| line.starts_with(of))
    {
        Some("W3C's extended log format, as of IIS and CloudFront")
    } else if is_syslog {
        Some("syslog's, which stand before those of a server")
    } else {
        None
    }
}

//! One line of a log, in each of the formats.

use super::alb::alb;
use super::clf::Clf;
use super::envoy::envoy;
use super::hit::Hit;
use super::json::{CADDY, TRAEFIK, json};
use super::kind::Kind;
use super::reading::{FIELDS, Reading, Unit};

pub(super) struct Parser<'a> {
    kind: Kind,
    reading: &'a Reading,
    clf: Clf,
}

impl<'p> Parser<'p> {
    pub(super) fn new(kind: Kind, reading: &'p Reading) -> Self {
        Self { kind, reading, clf: Clf::new(kind, reading.unit) }
    }

    /// None where the line is not of this format.
    pub(super) fn parse<'a>(&mut self, line: &'a str) -> Option<Hit<'a>> {
        let json = |fields, unit| json(&self.reading.fields, line, fields, unit);
        let mut hit = match self.kind {
            Kind::Combined | Kind::Ingress | Kind::Traefik | Kind::Common => self.clf.hit(line)?,
            Kind::VhostCombined => self.clf.with_host(line)?,
            Kind::Json => json(&FIELDS, self.reading.unit)?,
            // Go leaves out zeros at the end of a second's parts.
            Kind::Caddy => Hit { is_exact: true, ..json(&CADDY, Some(Unit::Seconds))? },
            Kind::TraefikJson => Hit { is_exact: true, ..json(&TRAEFIK, Some(Unit::Nanos))? },
            Kind::Envoy => envoy(line)?,
            Kind::Alb => alb(line)?,
        };
        if self.reading.is_of_start(self.kind) {
            hit.time_us += hit.took_us.unwrap_or(0);
        }
        Some(hit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::reading::FieldMap;
    use super::*;

    fn parsed(kind: Kind, line: &str) -> Option<Hit<'_>> {
        parsed_as(kind, line, &Reading::default())
    }

    fn parsed_as<'a>(kind: Kind, line: &'a str, reading: &Reading) -> Option<Hit<'a>> {
        Parser::new(kind, reading).parse(line)
    }

    #[test]
    fn each_format_understands_its_own_example() {
        for kind in Kind::ALL {
            let hit = parsed(kind, kind.example()).unwrap_or_else(|| panic!("{kind}"));
            assert_eq!((&*hit.method, &*hit.target, hit.status), ("GET", "/a", 200), "{kind}");
            assert_eq!(hit.time_us / 1_000_000, 1_791_640_536, "{kind}");
        }
    }

    #[test]
    fn the_unit_of_a_duration_is_that_of_the_format_or_given() {
        let took = |kind: Kind, more: &str, unit| {
            let line = format!("{}{more}", Kind::Combined.example());
            let reading = Reading { unit, ..Reading::default() };
            parsed_as(kind, &line, &reading).map(|hit| hit.took_us)
        };
        for more in ["", " 0.250", " 1234", " 91 0.012 [web-80] []", " 1 \"r\" \"s\" 12ms"] {
            assert_eq!(took(Kind::Combined, more, None), Some(None), "{more}");
        }
        for (more, unit, us) in [
            (" 0.250", Unit::Seconds, 250_000),
            (" 1234", Unit::Micros, 1234),
            (" 12", Unit::Millis, 12_000),
            (" 1500", Unit::Nanos, 2),
            (" \"rt=1.5\"", Unit::Seconds, 1_500_000),
        ] {
            assert_eq!(took(Kind::Combined, more, Some(unit)), Some(Some(us)), "{more}");
        }
        for kind in [Kind::Ingress, Kind::Traefik, Kind::Caddy, Kind::TraefikJson, Kind::Envoy] {
            assert_eq!(parsed(kind, kind.example()).unwrap().took_us, Some(12_000), "{kind}");
        }
        for (name, unit) in [
            ("request_time", Some(Unit::Seconds)),
            ("Duration_Seconds", Some(Unit::Seconds)),
            ("took_s", Some(Unit::Seconds)),
            ("latency_ms", Some(Unit::Millis)),
            ("time_milliseconds", Some(Unit::Millis)),
            ("microseconds", Some(Unit::Micros)),
            ("took_ns", Some(Unit::Nanos)),
            ("latency", None),
            ("status", None),
        ] {
            assert_eq!(Unit::of_name(name), unit, "{name}");
        }
        assert_eq!(took(Kind::Ingress, " 0.250", None), None);
        assert_eq!(took(Kind::Traefik, " 0.250", None), None);
    }

    /// Lines as the documentation of each has them.
    #[test]
    fn lines_of_others_documentation_are_read_as_it_says() {
        let caddy = r#"{"level":"info","ts":1646861401.5241024,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"127.0.0.1","remote_port":"41342","client_ip":"127.0.0.1","proto":"HTTP/2.0","method":"GET","host":"localhost","uri":"/","headers":{"User-Agent":["curl/7.82.0"],"Accept":["*/*"]}},"bytes_read":0,"user_id":"","duration":0.000929675,"size":10900,"status":200}"#;
        let hit = parsed(Kind::Caddy, caddy).unwrap();
        assert_eq!((hit.time_us, hit.took_us), (1_646_861_401_524_102, Some(930)));
        assert_eq!(
            (&*hit.agent, hit.host.as_deref(), hit.size),
            ("curl/7.82.0", Some("localhost"), 10_900)
        );
        let envoy = r#"[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://10.0.2.1:80""#;
        let hit = parsed(Kind::Envoy, envoy).unwrap();
        assert_eq!(
            (&*hit.method, &*hit.target, hit.status, hit.http),
            ("POST", "/api/v1/locations", 204, "2")
        );
        // It began at .310 and took 226 ms.
        assert_eq!((hit.time_us, hit.took_us), (1_460_751_420_536_000, Some(226_000)));
        assert_eq!(
            (&*hit.client, &*hit.agent, hit.host.as_deref()),
            ("10.0.35.28", "nsq2http", Some("locations"))
        );
        let traefik = r#"192.168.33.1 - - [02/Nov/2017:22:10:18 +0000] "GET /whoami HTTP/1.1" 200 432 "-" "Mozilla/5.0" 1 "Host-whoami" "http://172.17.0.2:80" 5ms"#;
        let hit = parsed(Kind::Traefik, traefik).unwrap();
        assert_eq!((hit.time_us, hit.took_us), (1_509_660_618_005_000, Some(5000)));
        let vhost = r#"www.example.com:443 192.0.2.7 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326 "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)""#;
        let hit = parsed(Kind::VhostCombined, vhost).unwrap();
        assert_eq!((hit.host.as_deref(), &*hit.client), (Some("www.example.com:443"), "192.0.2.7"));
        assert_eq!(hit.agent, "Mozilla/4.08 [en] (Win98; I ;Nav)");
        assert_eq!(hit.time_us, 971_211_336_000_000);
    }

    #[test]
    fn a_time_is_of_the_end_or_of_the_start() {
        let line = format!("{} 0.250", Kind::Combined.example());
        let unit = Some(Unit::Seconds);
        let time = |is_of_start| {
            let reading = Reading { unit, is_of_start, ..Reading::default() };
            parsed_as(Kind::Combined, &line, &reading).unwrap().time_us
        };
        assert_eq!(time(Some(true)) - time(None), 250_000);
        assert_eq!(time(Some(false)), time(None));
    }

    #[test]
    fn what_a_log_escapes_is_escaped_as_in_a_url() {
        let line = r#"::1 - bob [01/Jan/2026:00:00:00 -0130] "GET /a\x22b?c=\"d\" HTTP/2.0" 200 - "-" "x \"y\" z""#;
        let hit = parsed(Kind::Combined, line).unwrap();
        assert_eq!(hit.target, "/a%22b?c=%5C%22d%5C%22");
        assert_eq!((&*hit.agent, hit.http), (r#"x \"y\" z"#, "2"));
        assert_eq!(hit.time_us, 1_767_231_000_000_000);
    }

    #[test]
    fn json_fields_are_found_by_their_usual_names_or_as_mapped() {
        let line = r#"{"ts":1791640536.25,"request":"GET /x HTTP/1.1","status":"404","latency_ms":12.5,"ip":"a"}"#;
        let hit = parsed(Kind::Json, line).unwrap();
        assert_eq!((hit.time_us, hit.is_exact), (1_791_640_536_250_000, true));
        assert_eq!((hit.took_us, hit.status, &*hit.client), (Some(12_500), 404, "a"));
        let fields: FieldMap = "time=when,path=where,method=how".parse().unwrap();
        let line = r#"{"when":"2026-10-10T13:55:36Z","where":"/y","how":"get","status":200}"#;
        let reading = Reading { fields, ..Reading::default() };
        let hit = parsed_as(Kind::Json, line, &reading).unwrap();
        assert_eq!((&*hit.method, &*hit.target, hit.is_exact), ("GET", "/y", false));
        let fields = "path=request.uri,method=request.verb,agent=headers.agent".parse().unwrap();
        let line = r#"{"ts":1,"request":{"uri":"/z","verb":"GET"},"headers":{"agent":["a","b"]},"status":200,"latency":5}"#;
        let reading = Reading { fields, ..Reading::default() };
        let hit = parsed_as(Kind::Json, line, &reading).unwrap();
        assert_eq!((&*hit.target, &*hit.agent, hit.took_us), ("/z", "a", None));
        let reading = Reading { unit: Some(Unit::Millis), ..reading };
        assert_eq!(parsed_as(Kind::Json, line, &reading).unwrap().took_us, Some(5000));
        assert!("when=ts".parse::<FieldMap>().unwrap_err().contains("known are time, method"));
    }

    #[test]
    fn what_is_no_request_is_none() {
        for line in [
            "",
            "- - -",
            r#"1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "-" 400 0 "-" "-""#,
            r#"1.2.3.4 - - [10/Xyz/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 0 "-" "-""#,
            r#"1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 999 0 "-" "-""#,
            r#"1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "GET a b c" 200 0 "-" "-"#,
            "{\"time\":1}",
            "[",
        ] {
            for kind in Kind::ALL {
                assert_eq!(parsed(kind, line), None, "{kind}: {line}");
            }
        }
    }
}

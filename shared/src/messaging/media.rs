//! Media links of a message: `mediaUrls` is one string, links separated by commas, each URL-encoded (the Backendless Plivo
//! service), or an array of links; a plain `https://…` is accepted, too. We never fetch them: Plivo does.

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// The most links Plivo takes in one message (Plivo: "Send a message", `media_urls`).
pub const MOST: usize = 10;
/// The longest link, in bytes: longer than any real one, shorter than what would fill a request.
pub const LONGEST: usize = 2048;

/// Why a list of links is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// One of them is not a public `https` link.
    #[error("a media link is not a public https link")]
    Link,
    /// More than [`MOST`].
    #[error("more than {MOST} media links")]
    TooMany,
}

/// The links of a text; an empty text has none.
pub fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').filter(move |_| !list.trim().is_empty())
}

/// Parses links.
///
/// # Errors
/// [`MediaError`].
pub fn parse<'a>(links: impl Iterator<Item = &'a str>) -> Result<Vec<Url>, MediaError> {
    // One more than there may be shows that there are too many.
    let links: Vec<_> = links.take(MOST + 1).collect();
    if links.len() > MOST {
        return Err(MediaError::TooMany);
    }
    links.into_iter().map(|item| link(item.trim())).collect()
}

fn link(item: &str) -> Result<Url, MediaError> {
    // A link whose scheme has an escaped colon was encoded as a whole, and is decoded once. Others are left as they are.
    let encoded = item.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https%3A"));
    let text =
        if encoded { percent_decode_str(item).decode_utf8().map_err(|_| MediaError::Link)? } else { item.into() };
    if text.len() > LONGEST || text.chars().any(|character| character.is_control() || character == ' ') {
        return Err(MediaError::Link);
    }
    let url = Url::parse(&text).map_err(|_| MediaError::Link)?;
    let public = match url.host() {
        Some(Host::Domain(name)) => is_public(name),
        // Media never need a bare address, and one often points into a private network. The parser has read every spelling of one.
        Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => false,
    };
    // As it is sent: names and paths of other scripts grow when they are encoded.
    let plain = url.username().is_empty() && url.password().is_none() && url.as_str().len() <= LONGEST;
    if url.scheme() == "https" && public && plain { Ok(url) } else { Err(MediaError::Link) }
}

/// Whether the name can be one of the internet's: it has a domain, and not one that is for private networks (RFC 6761, RFC 6762, RFC 8375, ICANN
/// for `internal`). A final dot changes nothing.
fn is_public(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_in = |domain: &str| name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let has_labels = name.contains('.') && !name.split('.').any(str::is_empty);
    has_labels && !PRIVATE_DOMAINS.into_iter().any(is_in)
}

const PRIVATE_DOMAINS: [&str; 5] = ["localhost", "local", "internal", "lan", "home.arpa"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(list: &str) -> Result<Vec<Url>, MediaError> {
        super::parse(split(list))
    }

    #[test]
    fn what_is_not_a_public_https_link_is_refused() {
        for list in [
            "x",
            ",",
            "https://a.example/x,",
            "http://a.example/x.png",
            "http%3A%2F%2Fa.example%2Fx",
            "ftp://a.example/x",
            "javascript:alert(1)",
            "https://",
            "https:///x",
            "https://localhost/x",
            "https://localhost./x",
            "https://localhost../x",
            "https://intranet../x",
            "https://127.0.0.1../x",
            "https://x.localhost/",
            "https://x.LOCALHOST./",
            "https://printer.local/",
            "https://metadata.google.internal/",
            "https://nas.lan/x",
            "https://router.home.arpa/x",
            "https://home.arpa/x",
            "https://intranet/x",
            "https://intranet./x",
            "https://127.0.0.1/x",
            "https://169.254.169.254/latest/",
            "https://[::1]/x",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://127.0.0.1./x",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://%31%32%37.0.0.1/",
            "https://\u{ff11}27.0.0.1/",
            "https://127\u{3002}0\u{3002}0\u{3002}1/",
            "https://[::ffff:127.0.0.1]/",
            "https://1.2.3.4.5/",
            "https://user:pw@a.example/x",
            "https://a.example/a b",
            "https%3A%2F%2Fa.example%2F%00",
            "https%3A%2F%2Fa.example%2F%FF",
            "//a.example/x",
            &format!("https://a.example/{}", "x".repeat(2048)),
            // Found by fuzzing: longer once it is encoded.
            &format!("https://a.example/{}", "é".repeat(1000)),
        ] {
            assert_eq!(parse(list), Err(MediaError::Link), "{list}");
        }
    }

    #[test]
    fn the_eleventh_link_is_too_many() {
        let links = |count| vec!["https://a.example/x.png"; count].join(",");
        assert_eq!(parse(&links(10)).unwrap().len(), 10);
        assert_eq!(parse(&links(11)), Err(MediaError::TooMany));
    }

    #[test]
    fn links_are_taken_plain_and_encoded() {
        let urls = parse("https://a.example/x%20y.png, https%3A%2F%2Fb.example%2Fa%2Cb.png%3Fq%3D1").unwrap();
        let urls: Vec<_> = urls.iter().map(Url::as_str).collect();
        assert_eq!(urls, ["https://a.example/x%20y.png", "https://b.example/a,b.png?q=1"]);
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(parse(" ").unwrap(), []);
    }

    #[test]
    fn a_link_of_an_array_may_hold_commas() {
        let urls = super::parse(["https://a.example/1,2.png"].into_iter()).unwrap();
        assert_eq!(urls.iter().map(Url::as_str).collect::<Vec<_>>(), ["https://a.example/1,2.png"]);
        for link in ["", " ", ","] {
            assert_eq!(super::parse([link].into_iter()), Err(MediaError::Link), "{link}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = parse(&text);
        }
    }
}

//! The network that a request comes from: an IPv4 address, or the /64 of an IPv6 address, since one customer commonly has all 2^64 addresses of one.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The network of a client, `/32` or `/64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientNetwork(String);

impl ClientNetwork {
    /// From the source address that the gateway reports. Anything that is not an address counts as one network, `unknown`.
    pub fn from_source_ip(address: Option<&str>) -> Self {
        let network =
            match address.and_then(|address| address.parse().ok()).map(|address: IpAddr| address.to_canonical()) {
                Some(IpAddr::V4(address)) => format!("{address}/32"),
                Some(IpAddr::V6(address)) => {
                    let [a, b, c, d, ..] = address.segments();
                    format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
                }
                None => "unknown".to_owned(),
            };
        Self(network)
    }

    /// From a header that a proxy has set: an address, with or without a port. (CloudFront writes a port after an IPv6 address without brackets.
    /// The /64 is the same, whichever way it is read.) Of a list, the last, which the proxy added itself.
    pub fn from_header(value: &str) -> Self {
        let last = value.rsplit(',').next().unwrap_or_default().trim();
        let with_port = || last.parse().map(|address: SocketAddr| address.ip()).ok();
        let bare_with_port = || last.rsplit_once(':').and_then(|(address, _)| address.parse().ok());
        let address = last.parse().ok().or_else(with_port).or_else(bare_with_port);
        Self::from_source_ip(address.map(|address: IpAddr| address.to_string()).as_deref())
    }

    /// For logs: the larger network around it, `/24` or `/48`, which identifies a provider and no customer.
    pub fn coarse(&self) -> String {
        match self.0.split_once('/').and_then(|(address, _)| address.parse().ok()) {
            Some(IpAddr::V4(address)) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.0/24")
            }
            Some(IpAddr::V6(address)) => {
                let [a, b, c, ..] = address.segments();
                format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
            }
            None => self.0.clone(),
        }
    }

    /// The text that its keyed hash is made of.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_is_its_network_and_an_ipv4_address_itself() {
        for (address, network) in [
            (Some("192.0.2.1"), "192.0.2.1/32"),
            (Some("::ffff:192.0.2.1"), "192.0.2.1/32"),
            (Some("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64"),
            (Some("2001:db8:1:2::1"), "2001:db8:1:2::/64"),
            (Some("2001:db8:1:3::1"), "2001:db8:1:3::/64"),
            (Some("192.0.2.1, 198.51.100.1"), "unknown"),
            (Some(""), "unknown"),
            (None, "unknown"),
        ] {
            assert_eq!(ClientNetwork::from_source_ip(address).as_str(), network, "{address:?}");
        }
    }

    #[test]
    fn logs_say_a_provider_s_network_and_no_address() {
        for (address, network) in
            [(Some("192.0.2.77"), "192.0.2.0/24"), (Some("2001:db8:1:2:3:4:5:6"), "2001:db8:1::/48"), (None, "unknown")]
        {
            assert_eq!(ClientNetwork::from_source_ip(address).coarse(), network);
        }
    }

    #[test]
    fn a_proxy_s_header_is_an_address_with_or_without_a_port() {
        for (value, network) in [
            ("198.51.100.10", "198.51.100.10/32"),
            ("198.51.100.10:46532", "198.51.100.10/32"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::1:46532", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:3:4:5:6:46532", "2001:db8:1:2::/64"),
            ("[2001:db8:1:2::1]:46532", "2001:db8:1:2::/64"),
            ("203.0.113.1, 198.51.100.10", "198.51.100.10/32"),
            ("198.51.100.10, nobody", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(ClientNetwork::from_header(value).as_str(), network, "{value}");
        }
    }
}

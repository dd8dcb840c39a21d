//! What the gateway lets through against one phone: by the routes and the bounds of `template.yaml`, and by the account's quota. Uses
//! `local::template`.

use local::template::Template;
use serde_json::Value;

use super::world::Attack;
use crate::Failure;

/// Requests a second of all APIs of an account in a region (API Gateway quotas, 2026).
const ACCOUNT: f64 = 10_000.0;

/// A parameter's value, by the template.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) default: f64,
    pub(super) most: f64,
}

/// The throttles that stand before a phone.
pub(super) struct Gateway {
    /// `SendingRatePerSecond`.
    pub(super) sending: Bounds,
    /// `RatePerSecond`.
    pub(super) other: Bounds,
    /// Routes that begin a login.
    logins: f64,
    /// Routes that take a code and are bounded by `sending`: registration, whose steps share a route.
    registrations: f64,
    /// Routes that take a code and are bounded by `other`.
    codes: f64,
}

impl Gateway {
    pub(super) fn read() -> Result<Self, Failure> {
        let template = Template::read()?;
        let routes = |function: &str| {
            let routes = template.functions.get(function).map(|function| function.routes.len());
            routes.map(|routes| routes as f64).ok_or_else(|| format!("the template has no function {function}"))
        };
        let bounds = |name: &str| {
            let number = |field: &str| number(&template.parameters[name][field]);
            number("Default").zip(number("MaxValue")).map(|(default, most)| Bounds { default, most })
        };
        Ok(Self {
            sending: bounds("SendingRatePerSecond").ok_or("SendingRatePerSecond has no bounds")?,
            other: bounds("RatePerSecond").ok_or("RatePerSecond has no bounds")?,
            logins: routes("login-phone")? + routes("login-password")?,
            registrations: routes("register")?,
            codes: routes("login-code")?,
        })
    }

    /// The worst that a stranger can do to one phone at these settings: codes where codes are taken, since they write; starts elsewhere.
    pub(super) fn attack(&self, sending: f64, other: f64) -> Attack {
        let attempts = (self.registrations * sending + self.codes * other).min(ACCOUNT);
        Attack { attempts, starts: (self.logins * sending).min(ACCOUNT - attempts) }
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_has_all_routes_and_no_more_than_the_account() {
        let gateway = Gateway::read().unwrap();
        // Three routes of registration, two of loginWithCode; four of the two starts.
        assert_eq!(gateway.attack(20.0, 100.0), Attack { attempts: 260.0, starts: 80.0 });
        let most = gateway.attack(gateway.sending.most, gateway.other.most);
        assert_eq!(most, Attack { attempts: 10_000.0, starts: 0.0 });
        assert!(gateway.sending.default < gateway.sending.most && gateway.other.default < gateway.other.most);
    }
}

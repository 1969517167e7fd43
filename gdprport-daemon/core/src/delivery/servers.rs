//! What sinks with servers and users have in common: the list of a cluster's servers, and a user with a password.

use std::sync::Arc;

use super::secret::SecretRef;
use crate::written::{At, Loc, OneOrMany, Report, Text};

/// Servers of one cluster that can be named.
const SERVERS_MAX: usize = 16;

/// The servers of a cluster, one after the other. `what`: what they are called.
pub(super) fn servers<T>(written: At<OneOrMany<T>>, what: &str, report: &mut Report<'_>) -> Vec<At<T>> {
    let At { value: OneOrMany(servers), loc } = written;
    if servers.len() > SERVERS_MAX {
        report.error(loc, format!("there are more than {SERVERS_MAX} {what}"), None);
    }
    servers
}

/// A user and the place of the password, if both are written in this table: neither is of use alone.
pub(super) fn user_and_password(
    user: Option<At<Text>>,
    password: Option<At<SecretRef>>,
    table: Loc,
    report: &mut Report<'_>,
) -> Option<(Arc<str>, SecretRef)> {
    match (user, password) {
        (Some(user), Some(password)) => return Some((user.value.0.into(), password.value)),
        (Some(At { loc, .. }), None) if !report.is_faulty(table, "password") => {
            let help = "add `password = \"file:/…\"`".to_owned();
            report.missing(loc, "`user` is of no use without `password`", help);
        }
        (None, Some(At { loc, .. })) if !report.is_faulty(table, "user") => {
            let help = "add `user = \"…\"`".to_owned();
            report.missing(loc, "`password` is of no use without `user`", help);
        }
        _ => {}
    }
    None
}

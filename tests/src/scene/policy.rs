//! The policies of the picture: one with everything that an audit looks for, and one that is in order.

use jiff::civil::Date;

use super::host::Host;

const CONTROLLER: &str = "\
version = 1

[controller]
name = \"Example GmbH\"
contact = \"privacy@example.org\"
dpo = \"dpo@example.org\"
";

const RECORD: &str = "\
[port.record]
purpose = \"order fulfilment\"
basis = \"contract\"
subjects = [\"customers\"]
data = [\"identity\", \"contact\"]
special_category = false
recipients = []
transfers = []
retention = \"6 years\"
measures = [\"encryption in transit\"]
owner = \"shop team\"
";

/// A policy as they grow. `today` is the day of the test, in UTC.
#[must_use]
pub fn out_of_order(host: &Host, today: Date) -> String {
    let day = |offset: i32| today.checked_add(jiff::Span::new().days(offset)).expect("within the calendar");
    let [first, _, third] = Host::APPS;
    let (postgres, psql, redis) = (host.postgres(), host.psql(), host.redis());
    let (expired, soon, later) = (day(-40), day(10), day(200));
    let address = Host::ADDRESS;
    format!(
        r#"{CONTROLLER}
[[port]]
name = "customers-db"
port = 5432
listen = ["{address}"]
protocol = "postgresql"
tls = {{ min = "1.2" }}
{RECORD}
[[port.allow]]
role = "closing-shop"
direction = "in"
peers = ["{third}"]
process = {{ exe = "{postgres}", user = "postgres" }}
until = {soon}

[[port.allow]]
role = "shops"
direction = "in"
peers = ["10.0.0.0/8"]
process = {{ exe = "{postgres}", user = "postgres" }}

[[port.allow]]
role = "nightly-export"
direction = "in"
peers = ["192.0.2.8"]
process = {{ exe = "{postgres}", user = "postgres" }}

[[port.allow]]
role = "old-report"
direction = "in"
peers = ["192.0.2.9"]
process = {{ exe = "{postgres}", user = "postgres" }}
until = {expired}

[[port.allow]]
role = "asking"
direction = "out"
peers = ["{address}"]
process = {{ exe = "{psql}", user = "games" }}

[[port]]
name = "sessions"
port = 6380
listen = ["{address}"]
protocol = "redis"

[port.record]
purpose = "keeping users signed in"
basis = "contract"
subjects = ["customers"]
data = ["identity"]
recipients = []
transfers = []

[[port.allow]]
role = "serving-sessions"
direction = "in"
peers = ["{first}"]
process = {{ exe = "{redis}", user = "redis" }}

[[port.allow]]
role = "using-sessions"
direction = "out"
peers = ["{address}"]

[[port]]
name = "orders-queue"
port = 5672
listen = ["{address}"]
protocol = "amqp"
tls = {{ min = "1.2" }}
{RECORD}
[[port.allow]]
role = "orders"
direction = "in"
peers = ["{first}"]
process = {{ exe = "/usr/lib/rabbitmq/bin/rabbitmq-server" }}

[[exception]]
finding = "tls-not-demanded"
port = "sessions"
why = "both ends are in one rack"
accepted_by = "dpo@example.org"
until = {later}

[[exception]]
finding = "weak-tls-seen"
port = "customers-db"
why = "an old client that is gone"
accepted_by = "dpo@example.org"
until = {later}
"#
    )
}

/// The policy of the same host once it is in order.
#[must_use]
pub fn in_order(host: &Host) -> String {
    let [first, second, third] = Host::APPS;
    let (postgres, psql) = (host.postgres(), host.psql());
    let (redis, redis_cli) = (host.redis(), host.redis_cli());
    let address = Host::ADDRESS;
    format!(
        r#"{CONTROLLER}
[[port]]
name = "customers-db"
port = 5432
listen = ["{address}"]
protocol = "postgresql"
tls = {{ min = "1.2" }}
{RECORD}
[[port.allow]]
role = "shops"
direction = "in"
peers = ["{first}", "{second}", "{third}"]
process = {{ exe = "{postgres}", user = "postgres" }}

[[port.allow]]
role = "asking"
direction = "out"
peers = ["{address}"]
process = {{ exe = "{psql}", user = "games" }}

[[port]]
name = "reports-db"
port = 5433
listen = ["{address}"]
protocol = "postgresql"
tls = {{ min = "1.2" }}
{RECORD}
[[port.allow]]
role = "reporting"
direction = "in"
peers = ["{first}"]
process = {{ exe = "{postgres}", user = "postgres" }}

[[port.allow]]
role = "asking-for-reports"
direction = "out"
peers = ["{address}"]
process = {{ exe = "{psql}", user = "games" }}

[[port]]
name = "sessions"
port = 6380
listen = ["{address}"]
protocol = "redis"
tls = {{ required = false, why = "both ends are in one rack" }}
{RECORD}
[[port.allow]]
role = "serving-sessions"
direction = "in"
peers = ["{first}"]
process = {{ exe = "{redis}", user = "redis" }}

[[port.allow]]
role = "using-sessions"
direction = "out"
peers = ["{address}"]
process = {{ exe = "{redis_cli}", user = "games" }}

[[port]]
name = "cache"
port = 6379
listen = ["{address}"]
protocol = "redis"
tls = {{ required = false, why = "both ends are in one rack" }}
{RECORD}
[[port.allow]]
role = "serving-cache"
direction = "in"
peers = ["{first}"]
process = {{ exe = "{redis}", user = "redis" }}

[[port.allow]]
role = "using-cache"
direction = "out"
peers = ["{address}"]
process = {{ exe = "{redis_cli}", user = "games" }}
"#
    )
}

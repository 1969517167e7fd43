//! Promises of the keys that receivers over HTTP share.

use rstest::rstest;

use super::*;
use crate::written::{Problems, Source};

/// The one sink of type `http` with these further lines, or what is wrong with it.
fn http(lines: &str) -> Result<HttpSettings, Problems> {
    let text = format!("[[sink]]\nname = \"a\"\ntype = \"http\"\n{lines}\n");
    let delivery = Delivery::parse(Source { name: "gdprport.toml".to_owned(), text })?;
    if let Some(faulty) = delivery.faulty.into_iter().next() {
        return Err(faulty.problems);
    }
    let sink = delivery.sinks.into_iter().next().expect("a sink");
    let Target::Http(settings) = sink.target else { panic!("asked for http") };
    Ok(settings)
}

#[test]
fn every_key_of_an_http_sink_is_read() {
    let settings = http(
        "url = \"https://siem.example.org:8443/in\"\nca = \"/etc/ca.pem\"\nserver_name = \"siem\"\n\
         proxy = \"http://proxy:3128\"\nproxy_credentials = \"credential:proxy\"\n\
         user = \"us\"\npassword = \"file:/etc/keys/siem\"\ntimeout = \"1m\"\nconnect_timeout = \"3s\"\n\
         headers = { X-Tenant = \"a b\", X-Key = \"credential:key\" }",
    )
    .expect("it is valid");
    assert_eq!(settings.place(), "https://siem.example.org:8443/in");
    let password = SecretRef::File("/etc/keys/siem".into());
    assert_eq!(settings.auth, Auth::Basic { user: "us".into(), password });
    let credentials = Some(SecretRef::Credential("proxy".into()));
    assert_eq!(
        settings.proxy,
        Proxy::At { url: HttpUrl::parse("http://proxy:3128").expect("an address"), credentials }
    );
    let headers: Vec<_> = settings.headers.iter().map(|(name, text)| (&*name.0, text.clone())).collect();
    let key = HeaderText::Secret(SecretRef::Credential("key".into()));
    assert_eq!(headers, [("x-tenant", HeaderText::Plain("a b".into())), ("x-key", key)]);
    assert_eq!((settings.timeout.as_secs(), settings.connect_timeout.as_secs()), (60, 3));
    let plain = http("url = \"http://localhost:9\"\nproxy = \"environment\"").expect("it is valid");
    assert_eq!((plain.auth, plain.proxy, plain.timeout.as_secs()), (Auth::None, Proxy::Environment, 30));
}

#[rstest]
#[case("", "has no `url`")]
#[case("url = \"siem\"", "begins neither with")]
#[case("url = \"https://me:s3cr3t@siem\"", "a name or password in it")]
#[case("url = \"http://siem\"\nca = \"/a\"", "`ca` has no effect")]
#[case("url = \"https://siem\"\ntoken = \"credential:a\"\nuser = \"b\"", "two ways to say who it is")]
#[case("url = \"https://siem\"\nuser = \"b\"", "of no use without `password`")]
#[case("url = \"https://siem\"\npassword = \"credential:a\"", "of no use without `user`")]
#[case("url = \"https://siem\"\nuser = \"a:b\"\npassword = \"credential:a\"", "no `:` in the name")]
#[case("url = \"https://siem\"\nproxy_credentials = \"credential:a\"", "without the address of a proxy")]
#[case("url = \"https://siem\"\nproxy = \"https://a:s3cr3t@b\"", "a name or password in it")]
#[case("url = \"https://siem\"\nproxy = \"socks5://b\"", "begins neither with")]
#[case("url = \"https://siem\"\ntimeout = \"1h\"", "the time is out of range")]
#[case("url = \"https://siem\"\nheaders = { Host = \"x\" }", "the transport's own")]
#[case("url = \"https://siem\"\nheaders = { \"a b\" = \"x\" }", "no name of a header")]
#[case("url = \"https://siem\"\nheaders = { A = \"x\", a = \"y\" }", "stands here twice")]
#[case(
    "url = \"https://siem\"\ntoken = \"credential:a\"\nheaders = { Authorization = \"x\" }",
    "made of the sink's credentials"
)]
#[case("url = \"https://siem\"\nheaders = { A = \"\u{e9}\" }", "written in ASCII")]
#[case("url = \"https://siem\"\nheaders = { A = \"file:s3cr3t\" }", "the place of a secret")]
fn a_wrong_key_of_an_http_sink_says_what_is_wrong(#[case] lines: &str, #[case] why: &str) {
    let said = http(lines).expect_err("it is wrong").to_string();
    assert!(said.contains(why) && !said.contains("s3cr3t"), "{said}");
}

#[rstest]
#[case("splunk", "", "has no `token`")]
#[case("splunk", "token = \"credential:a\"\nack_timeout = \"9s\"", "no effect without `ack = true`")]
#[case("elastic", "data_stream = \"Logs/a\"", "no name of a data stream")]
#[case("loki", "tenant = \"a/b\"", "no tenant")]
#[case("otlp", "tokn = \"credential:a\"", "did you mean `token`?")]
fn a_wrong_key_of_a_receiver_says_what_is_wrong(#[case] kind: &str, #[case] lines: &str, #[case] why: &str) {
    let text = format!("[[sink]]\nname = \"a\"\ntype = \"{kind}\"\nurl = \"https://siem\"\n{lines}\n");
    let delivery =
        Delivery::parse(Source { name: "gdprport.toml".to_owned(), text }).expect("the file is fine");
    let said = delivery.faulty.first().expect("it is wrong").problems.to_string();
    assert!(said.contains(why), "{said}");
}

//! Whom rules name.

use ipnet::IpNet;

use super::super::peers::{PEERS_MAX, Sets, gather};
use super::super::text::Page;

fn nets(addresses: impl IntoIterator<Item = String>) -> Vec<IpNet> {
    addresses.into_iter().map(|text| text.parse::<std::net::IpAddr>().expect("an address").into()).collect()
}

#[test]
fn a_list_of_peers_is_bounded_and_says_so() {
    let many = nets((0..40).flat_map(|net| (1..6).map(move |host| format!("10.0.{net}.{host}"))));
    let gathered = gather(many.clone());
    assert!(gathered.nets.len() <= PEERS_MAX, "{}", gathered.nets.len());
    assert!(gathered.notes[0].starts_with("200 addresses were seen, more than"), "{:?}", gathered.notes);
    assert!(many.iter().all(|seen| gathered.nets.iter().any(|net| net.contains(seen))));
    let few = gather(many[..PEERS_MAX].to_vec());
    assert_eq!((few.nets.len(), few.notes.len()), (PEERS_MAX, 0));
}

/// Two rules that saw other hosts of one network do not share a set, as one of them would allow more than it saw.
#[test]
fn a_set_has_exactly_the_members_that_were_seen() {
    let mut sets = Sets::default();
    let of = |hosts: &[u8]| gather(nets(hosts.iter().map(|host| format!("10.0.2.{host}"))));
    assert_eq!(sets.items(&of(&[11, 12, 13, 14])), [r#""hosts-10-0-2""#]);
    assert_eq!(sets.items(&of(&[11, 12])), [r#""hosts-10-0-2-2""#]);
    assert_eq!(sets.items(&of(&[14, 13, 12, 11])), [r#""hosts-10-0-2""#]);
    assert_eq!(sets.items(&of(&[11])), [r#""10.0.2.11""#]);
    let mut page = Page::default();
    sets.write(&mut page);
    insta::assert_snapshot!(page.into_text(), @r#"
    # Addresses that were seen, by network. Rules name them.
    [peers]
    # 10.0.2.0/24 would allow 250 addresses more than the 4 that were seen.
    hosts-10-0-2 = ["10.0.2.11", "10.0.2.12", "10.0.2.13", "10.0.2.14"]
    hosts-10-0-2-2 = ["10.0.2.11", "10.0.2.12"]
    "#);
}

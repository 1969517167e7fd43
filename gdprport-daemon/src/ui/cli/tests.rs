//! What can be typed, and what is refused.

use clap::CommandFactory;

use super::*;

#[test]
fn the_definitions_are_sound() {
    Cli::command().debug_assert();
}

#[test]
fn wrong_usage_prints_the_complete_usage() {
    for (wrong, usage) in [
        (&["daemon", "run", "--policy", "a", "--no-policy"][..], "Usage: gdprport daemon run [OPTIONS]\n"),
        (&["flows", "--follow", "--limit", "3"], "Usage: gdprport flows [OPTIONS]\n"),
        (&["scan", "--markdown", "--json"], "Usage: gdprport scan [OPTIONS]\n"),
        (
            &["policy", "explain"],
            "explain [OPTIONS] --port NAME|NUMBER\n       gdprport policy explain [OPTIONS] --flow ID",
        ),
    ] {
        let arguments = std::iter::once(&"gdprport").chain(wrong);
        let error = Cli::try_parse_from(arguments).expect_err("wrong usage").to_string();
        assert!(error.contains(usage), "{error}");
    }
}

#[test]
fn events_are_followed_with_and_without_the_option() {
    for arguments in [&["gdprport", "events"][..], &["gdprport", "events", "--follow"]] {
        let cli = Cli::try_parse_from(arguments).expect("a valid command line");
        assert!(matches!(cli.command, TopCommand::Events(_)));
    }
}

#[test]
fn options_mean_what_they_promise() {
    let cli =
        Cli::try_parse_from(["gdprport", "daemon", "run", "--policy", "a", "--policy", "b", "--events", "-"])
            .expect("a valid command line");
    let TopCommand::Daemon(DaemonCommand::Run(args)) = cli.command else { panic!("daemon run") };
    assert_eq!(args.policy, [PathBuf::from("a"), PathBuf::from("b")]);
    assert_eq!(args.events, Some(EventsTarget::Stdout));
    let cli =
        Cli::try_parse_from(["gdprport", "flows", "--socket", "/s", "--json"]).expect("global after command");
    assert_eq!((cli.socket, cli.json), (Some(PathBuf::from("/s")), true));
    for wrong in [
        &["gdprport", "flows", "--limit", "0"][..],
        &["gdprport", "policy"],
        &["gdprport", "scan", "--watch", "2h"],
        &["gdprport", "flows", "--port", "99999"],
        &["gdprport", "policy", "explain", "--port", "0"],
    ] {
        assert_eq!(Cli::try_parse_from(wrong).expect_err("wrong usage").exit_code(), 2);
    }
}

#[test]
fn an_alias_is_taken_and_is_not_listed_as_an_option() {
    for words in [["gdprport", "daemon", "unpin"], ["gdprport", "daemon", "--unpin"]] {
        let cli = Cli::try_parse_from(words).expect("a valid command line");
        assert!(matches!(cli.command, TopCommand::Daemon(DaemonCommand::Unpin(_))));
    }
    let mut root = Cli::command();
    let daemon = root.find_subcommand_mut("daemon").expect("a command");
    let help = daemon.render_long_help().to_string();
    assert!(help.contains("  unpin ") && !help.contains("--unpin"), "{help}");
}

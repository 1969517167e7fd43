//! The words of reports, one table a language: whoever adds a word adds it to each.
//!
//! Belongs here: what a report says in its own name. What the policy and the ledger say stays as they say it.

mod de;
mod en;
mod fr;
mod incident;
mod lang;

pub(crate) use lang::Lang;

/// Declares the table, so that a test can walk all of it.
macro_rules! words {
    ($table:ident: $($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// The words of one language. `{}` stands for values, in their order.
        #[derive(Debug)]
        pub(crate) struct $table {
            $($(#[$doc])* pub(crate) $name: &'static str,)+
        }

        impl $table {
            /// Every word with its name.
            #[cfg(test)]
            pub(in crate::report::words) fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name)),+]
            }
        }
    };
}

use words;

words! {
    Words:
    // The page.
    title, skip, as_table, drawn_in, contents, period, made, host, policy_digest, no_policy, version, ledger_begins, whole_days,
    // Marks, and what stands where nothing does.
    declared, observed, not_declared, declared_none, yes, no, nothing_seen, legend, legend_declared, legend_observed,
    legend_rows, law, law_30, law_33, to_fill, pseudonyms, no_ledger, self_note,
    // Art. 30(1) and (2).
    controller, controller_name, contact, representative, dpo, joint, on_behalf, capacity, as_controller, as_processor,
    purpose, categories_of_processing, basis, subjects, data, special, recipients, transfers, safeguards, retention, measures,
    tls_demand, at_least, tls_not_required, location, dpia, owner, missing, missing_all, complete,
    // Where a service is.
    ports, served_here, bound_to, bound_anywhere, served_at,
    // What was observed.
    coverage, watched, not_watched, lost, connections, failed, sent, received, first, last, days, ledger_rows, rows_of, more,
    outcome, outcome_declared, outcome_violation, outcome_undecided, outcome_violations, violations,
    other_ends, other_end, direction, called_here, called_there, zone_host, zone_private, zone_public, zone_unknown, country,
    process, processes, known_by, exact, listener, snapshot, unknown_process, user, unit, container, volume,
    encryption, encrypted_of, state_none, state_plaintext, state_weak, state_refused, state_other, state_unrecognised,
    state_unknown, state_upgraded,
    rules, role, allowed_peers, asked_process, any_process, until, limit, limit_of, limit_most, limit_beyond, hour, day, used, unused,
    // Parts of the page.
    overview, overview_empty, activities, activity, undeclared, undeclared_note, gaps, gap_reason, from, to, amount, at_least_n, at_most_n, notes,
    no_gaps, gaps_unknown, evidence_note, no_activities,
    // The map.
    map_title, map_caption, map_about, map_hint, map_summary, map_sources, map_ports, map_port, map_recipients, map_more, map_serves, map_calls, map_zones, map_unseen, map_unseen_one, map_grouped, map_plain, map_in, map_out, map_undeclared, map_named, named,
    // The monitor's own record.
    own_title, own_name, own_purpose, own_subjects, own_data, own_data_hidden_peers, own_data_cut_peers, own_data_hidden_users,
    own_data_plain, own_data_before, own_never, own_recipients, own_no_recipients, own_file, own_journald, own_sink, own_sink_faulty, own_no_spool, own_metrics, own_control, own_retention,
    own_ledger_kept, own_ledger_off, own_spool_kept, own_evidence_kept, own_evidence_off, own_evidence_erased, own_evidence_stays,
    own_elsewhere, own_measures, own_measures_text, own_evidence_proves, own_legal, own_defaults, own_source,
    // Charts.
    months, day_month, by_hour, by_day, by_days, before_ledger, unwatched, hatched, most, volume_by_port,
    volume_in_time, own_scale, linear_scale, bytes_counted, bytes_in_all, others, violations_in_time,
    violations_in_all, no_violations, all_ports, encrypted, not_encrypted, percent, encrypted_in_all,
    encryption_by_port, encryption_read, in_json,
}

impl Words {
    /// What a key of `[port.record]` is about; the key itself if it has no name here.
    pub(crate) fn of_key(&self, key: &'static str) -> &'static str {
        match key {
            "record" => self.missing_all,
            "purpose" => self.purpose,
            "subjects" => self.subjects,
            "data" => self.data,
            "recipients" => self.recipients,
            "transfers" => self.transfers,
            "retention" => self.retention,
            key => key,
        }
    }
}

/// Puts values in the places of `{}`.
pub(crate) fn fill(words: &str, values: &[&str]) -> String {
    let mut parts = words.split("{}");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (at, part) in parts.enumerate() {
        text.push_str(values.get(at).copied().unwrap_or_default());
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word that is longer does not fit beside others.
    const MOST: usize = 420;

    #[test]
    fn every_language_has_every_word() {
        let english = Lang::En.words().all();
        for lang in [Lang::En, Lang::De, Lang::Fr] {
            for ((name, word), (_, original)) in lang.words().all().into_iter().zip(&english) {
                let places = |text: &str| text.matches("{}").count();
                assert!(!word.trim().is_empty() && word.len() <= MOST, "{lang:?} {name}: {word:?}");
                assert_eq!(places(word), places(original), "{lang:?} {name}: {word:?}");
                assert_eq!(word.trim(), word, "{lang:?} {name}");
            }
        }
    }

    /// Words that are the same in English.
    const SAME: &[&str] = &[
        "version",
        "contact",
        "ports",
        "direction",
        "unit",
        "container",
        "volume",
        "controller_name",
        "outcome_violation",
        "outcome_violations",
        "violations",
        "map_ports",
        "map_port",
        "day_month",
    ];

    /// Words that no text of another language has.
    const ENGLISH: &[&str] = &[
        "the", "of", "and", "is", "are", "were", "not", "by", "with", "from", "to", "which", "that",
        "nothing", "seen", "declared", "observed", "none", "any", "this", "other", "process", "rules",
        "missing",
    ];

    #[test]
    fn nothing_is_left_in_english() {
        let english = Lang::En.words().all();
        for lang in [Lang::De, Lang::Fr] {
            for ((name, word), (_, original)) in lang.words().all().into_iter().zip(&english) {
                assert!(word != *original || SAME.contains(&name), "{lang:?} {name}: {word}");
                // Commands and file names stay as they are.
                let words = word.split(|c: char| !c.is_alphabetic()).map(str::to_lowercase);
                let left: Vec<String> = words.filter(|word| ENGLISH.contains(&word.as_str())).collect();
                assert!(left.is_empty(), "{lang:?} {name}: {left:?} in {word}");
            }
        }
    }

    /// Whoever reads a report need not know how a policy is written.
    #[test]
    fn what_is_not_declared_is_named_as_in_the_facts() {
        let keys = gdprport_core::policy::ProcessingRecord::default().missing();
        for lang in [Lang::En, Lang::De, Lang::Fr] {
            let named: Vec<&str> = keys.iter().map(|key| lang.words().of_key(key)).collect();
            assert!(named.iter().zip(&keys).all(|(name, key)| name != key), "{lang:?}: {named:?}");
        }
    }

    /// The words of the law's own versions in these languages (Art. 4, 26, 27, 30, 35, 37).
    #[test]
    fn the_law_is_quoted_in_its_own_words() {
        let (de, fr) = (Lang::De.words(), Lang::Fr.words());
        for (word, part) in [
            (de.title, "Verzeichnis von Verarbeitungstätigkeiten"),
            (de.controller, "Verantwortlicher"),
            (de.as_processor, "Auftragsverarbeiter"),
            (de.joint, "Gemeinsam Verantwortliche"),
            (de.dpo, "Datenschutzbeauftragter"),
            (de.subjects, "Betroffene Personen"),
            (de.categories_of_processing, "Kategorien von Verarbeitungen"),
            (de.transfers, "Drittländer"),
            (de.safeguards, "Garantien"),
            (de.measures, "Technische und organisatorische Maßnahmen"),
            (de.dpia, "Datenschutz-Folgenabschätzung"),
            (fr.title, "Registre des activités de traitement"),
            (fr.controller, "Responsable du traitement"),
            (fr.as_processor, "sous-traitant"),
            (fr.joint, "Responsables conjoints du traitement"),
            (fr.dpo, "Délégué à la protection des données"),
            (fr.data, "Données à caractère personnel"),
            (fr.subjects, "Personnes concernées"),
            (fr.transfers, "pays tiers"),
            (fr.safeguards, "Garanties"),
            (fr.dpia, "Analyse d’impact relative à la protection des données"),
        ] {
            assert!(word.contains(part), "{word}: {part}");
        }
    }

    /// A line never begins with a colon, and an apostrophe is none of a typewriter's.
    #[test]
    fn french_has_spaces_that_do_not_break() {
        for (name, word) in Lang::Fr.words().all().into_iter().chain(Lang::Fr.all_of_incident()) {
            for sign in [" :", " ;", " ?", " !", "'"] {
                assert!(!word.contains(sign), "{name}: {word}");
            }
        }
    }

    #[test]
    fn every_language_has_every_word_of_a_draft() {
        let english = Lang::En.all_of_incident();
        for lang in [Lang::En, Lang::De, Lang::Fr] {
            for ((name, word), (_, original)) in lang.all_of_incident().into_iter().zip(&english) {
                let places = |text: &str| text.matches("{}").count();
                assert!(!word.trim().is_empty() && word.len() <= MOST, "{lang:?} {name}: {word:?}");
                assert_eq!(places(word), places(original), "{lang:?} {name}: {word:?}");
            }
        }
    }

    #[test]
    fn values_stand_in_their_order() {
        assert_eq!(fill("{} of {}", &["1", "{}"]), "1 of {}");
        assert_eq!(fill("none", &["x"]), "none");
    }
}

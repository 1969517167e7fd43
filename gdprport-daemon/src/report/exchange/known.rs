//! Words of a policy whose meaning is exactly known: what they are in the vocabularies of other tools.
//!
//! Nothing is guessed. A word that is in no table here stays what it is: a text.

/// A legal basis of Art. 6(1) GDPR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Basis {
    /// As Fideslang names it (`LegalBasisForProcessingEnum`).
    pub(super) fides: &'static str,
    /// As DPV names it (its extension for the GDPR).
    pub(super) dpv: &'static str,
}

/// Letters of Art. 6(1), with what they are called.
const BASES: &[(char, &[&str], Basis)] = &[
    ('a', &["consent"], Basis { fides: "Consent", dpv: "eu-gdpr:A6-1-a" }),
    ('b', &["contract"], Basis { fides: "Contract", dpv: "eu-gdpr:A6-1-b" }),
    (
        'c',
        &["legal obligation", "legal obligations"],
        Basis { fides: "Legal obligations", dpv: "eu-gdpr:A6-1-c" },
    ),
    ('d', &["vital interest", "vital interests"], Basis { fides: "Vital interests", dpv: "eu-gdpr:A6-1-d" }),
    ('e', &["public interest"], Basis { fides: "Public interest", dpv: "eu-gdpr:A6-1-e" }),
    (
        'f',
        &["legitimate interest", "legitimate interests"],
        Basis { fides: "Legitimate interests", dpv: "eu-gdpr:A6-1-f" },
    ),
];

/// How the letter is quoted, without spaces and dots: `Art. 6(1)(b)`, `Art. 6 Abs. 1 lit. b`, `art. 6, par. 1, point b`.
const BEFORE_LETTER: &[&str] =
    &["6(1)(", "6abs1lit", "6abs1buchst", "6abs1buchstabe", "6(1)lit", "6par1point", "6(1)point"];

/// The legal basis that a text names.
pub(super) fn basis(text: &str) -> Option<Basis> {
    let lower = text.trim().to_lowercase();
    let by_name = BASES.iter().find(|(_, names, _)| names.contains(&lower.as_str()));
    if let Some((_, _, basis)) = by_name {
        return Some(*basis);
    }
    let short: String = lower.chars().filter(|c| !c.is_whitespace() && !matches!(c, '.' | ',')).collect();
    let short = ["gdpr", "dsgvo", "rgpd"].iter().find_map(|law| short.strip_suffix(law)).unwrap_or(&short);
    let short =
        ["article", "artikel", "art"].iter().find_map(|word| short.strip_prefix(word)).unwrap_or(short);
    BEFORE_LETTER.iter().find_map(|before| {
        let mut rest = short.strip_prefix(before)?.chars();
        let letter = rest.next()?;
        // The bracket that was opened, and nothing else.
        if rest.as_str() != if before.ends_with('(') { ")" } else { "" } {
            return None;
        }
        BASES.iter().find(|(known, _, _)| *known == letter).map(|(_, _, basis)| *basis)
    })
}

/// A safeguard of transfers (Art. 45 to 47 GDPR).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Safeguard {
    /// As Fideslang names it (`LegalBasisForTransfersEnum`).
    pub(super) fides: &'static str,
    /// As DPV names it.
    pub(super) dpv: &'static str,
}

/// The safeguard that a text names.
pub(super) fn safeguard(text: &str) -> Option<Safeguard> {
    match text.trim().to_lowercase().as_str() {
        "standard contractual clauses" | "scc" | "sccs" => {
            Some(Safeguard { fides: "SCCs", dpv: "eu-gdpr:StandardContractualClauses" })
        }
        "binding corporate rules" | "bcr" | "bcrs" => {
            Some(Safeguard { fides: "BCRs", dpv: "eu-gdpr:BindingCorporateRules" })
        }
        "adequacy decision" => {
            Some(Safeguard { fides: "Adequacy Decision", dpv: "eu-gdpr:AdequacyDecision" })
        }
        _ => None,
    }
}

/// Categories of data subjects, in one and in several; the keys of Fideslang, and the term of DPV where it has one.
const SUBJECTS: &[([&str; 2], &str, Option<&str>)] = &[
    (["consultant", "consultants"], "consultant", None),
    (["customer", "customers"], "customer", Some("dpv:Customer")),
    (["employee", "employees"], "employee", Some("dpv:Employee")),
    (["job applicant", "job applicants"], "job_applicant", Some("dpv:JobApplicant")),
    (["passenger", "passengers"], "passenger", None),
    (["patient", "patients"], "patient", Some("dpv:Patient")),
    (["prospect", "prospects"], "prospect", None),
    (["shareholder", "shareholders"], "shareholder", None),
    (["trainee", "trainees"], "trainee", None),
    (["visitor", "visitors"], "visitor", Some("dpv:Visitor")),
];

/// What kind of word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A purpose.
    Use,
    /// A category of personal data.
    Category,
    /// A category of data subjects.
    Subject,
}

impl Kind {
    /// As Fideslang names it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Use => "data_use",
            Self::Category => "data_category",
            Self::Subject => "data_subject",
        }
    }
}

/// The keys of Fideslang's default taxonomy.
const TAXONOMY: &str = include_str!("fideslang.txt");

/// The key that a word is, or is known to mean.
pub(super) fn fides(kind: Kind, word: &str) -> Option<&'static str> {
    let word = word.trim();
    let keys = TAXONOMY.lines().filter_map(|line| line.strip_prefix(kind.name())?.strip_prefix(' '));
    if let Some(key) = keys.into_iter().find(|key| *key == word) {
        return Some(key);
    }
    let lower = word.to_lowercase();
    match kind {
        Kind::Subject => subject(&lower).map(|(_, key, _)| *key),
        Kind::Category => match lower.as_str() {
            "contact" => Some("user.contact"),
            "payment" => Some("user.payment"),
            _ => None,
        },
        Kind::Use => None,
    }
}

/// The term of DPV for a category of data subjects.
pub(super) fn dpv_subject(word: &str) -> Option<&'static str> {
    let lower = word.trim().to_lowercase();
    subject(&lower)
        .or_else(|| SUBJECTS.iter().find(|(_, key, _)| *key == lower))
        .and_then(|(_, _, term)| *term)
}

fn subject(lower: &str) -> Option<&'static ([&'static str; 2], &'static str, Option<&'static str>)> {
    SUBJECTS.iter().find(|(words, _, _)| words.contains(&lower))
}

/// Whether a text is an address of e-mail and nothing else.
pub(super) fn is_mail(text: &str) -> bool {
    let mut parts = text.split('@');
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '+'))
    };
    let (Some(name), Some(host), None) = (parts.next(), parts.next(), parts.next()) else { return false };
    is_part(name) && is_part(host) && host.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legal_basis_is_known_by_name_or_by_letter() {
        for (text, known) in [
            ("contract", Some("Contract")),
            ("Legal obligation", Some("Legal obligations")),
            ("Art. 6(1)(b)", Some("Contract")),
            ("Art. 6 (1) (f) GDPR", Some("Legitimate interests")),
            ("Art. 6 Abs. 1 lit. c DSGVO", Some("Legal obligations")),
            ("6(1)(a)", Some("Consent")),
            ("art. 6(1)(e) RGPD", Some("Public interest")),
            ("Art. 6(1)(g)", None),
            ("Art. 6(1)(b", None),
            ("Art. 6(1)(b) and (f)", None),
            ("Art. 6 Abs. 1 lit. b, f", None),
            ("Art. 9(2)(a)", None),
            ("contract or consent", None),
            ("", None),
        ] {
            assert_eq!(basis(text).map(|basis| basis.fides), known, "{text}");
        }
    }

    #[test]
    fn a_word_is_what_it_is_known_to_be() {
        assert_eq!(fides(Kind::Subject, "Customers"), Some("customer"));
        assert_eq!(fides(Kind::Subject, "customer"), Some("customer"));
        assert_eq!(fides(Kind::Subject, "customers of customers"), None);
        assert_eq!(fides(Kind::Category, "user.contact.email"), Some("user.contact.email"));
        assert_eq!(fides(Kind::Category, "identity"), None);
        assert_eq!(
            fides(Kind::Use, "essential.service.payment_processing"),
            Some("essential.service.payment_processing")
        );
        assert_eq!(fides(Kind::Use, "user.contact"), None, "another kind");
        assert_eq!(dpv_subject("job_applicant"), Some("dpv:JobApplicant"));
        assert_eq!(dpv_subject("prospects"), None);
        for (_, key, _) in SUBJECTS {
            assert_eq!(fides(Kind::Subject, key), Some(*key), "the taxonomy has it");
        }
    }

    #[test]
    fn an_address_is_one_or_none() {
        for text in ["privacy@example.org", "a.b+c@x-y.example"] {
            assert!(is_mail(text), "{text}");
        }
        for text in ["a@b", "a@b.c, d@e.f", "Jane <a@b.c>", "https://a@b.c/", "@b.c", "a b@c.d", "+49 30 1"] {
            assert!(!is_mail(text), "{text}");
        }
    }
}

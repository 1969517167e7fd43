//! Series of kernels, as they are asked for on the command line.

/// The series that are tried when `all` is asked for, and when nothing is.
const ALL: [&str; 4] = ["5.10", "6.1", "6.12", NEWEST];

/// The newest kernel that Debian offers in any suite.
pub(super) const NEWEST: &str = "newest";

/// The series asked for, each once, in the order asked.
pub(super) fn series(asked: &[String]) -> Vec<String> {
    let mut series: Vec<String> = Vec::new();
    for one in asked {
        let more: Vec<String> =
            if one == "all" { ALL.map(str::to_owned).to_vec() } else { vec![one.to_owned()] };
        series.extend(more.into_iter().filter(|one| !series.contains(one)).collect::<Vec<_>>());
    }
    series
}

#[cfg(test)]
mod tests {
    use super::series;

    #[test]
    fn all_stands_for_four_series_and_none_is_run_twice() {
        let asked = |words: &[&str]| series(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(asked(&["all"]), ["5.10", "6.1", "6.12", "newest"]);
        assert_eq!(asked(&["6.12", "all", "6.12"]), ["6.12", "5.10", "6.1", "newest"]);
    }
}

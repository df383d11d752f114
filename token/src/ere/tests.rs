//! Expressions by example, then against a matcher that tries everything.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn matches(pattern: &str, text: &str) -> bool {
    Ere::parse(pattern).unwrap().is_match(text)
}

#[test]
fn an_expression_is_looked_for_anywhere_unless_it_is_anchored() {
    assert!(matches("b+", "abbc"));
    assert!(!matches("^b", "ab"));
    assert!(!matches("a$", "ab"));
    assert!(matches("^(a|b)*$", "abba"));
    assert!(matches("^$", ""));
    assert!(!matches("a^b", "a^b"));
    assert!(matches(r"a\^b", "a^b"));
}

#[test]
fn brackets_follow_posix() {
    assert!(matches("^[]a]+$", "a]"));
    assert!(matches("^[^]a]$", "b"));
    assert!(matches(r"^[\d]+$", r"d\"));
    assert!(!matches(r"^[\d]$", "7"));
    assert!(matches("^[a-c-]+$", "b-"));
    assert!(matches("^[--/]+$", "-./"));
    assert!(matches("^[%--]$", ","));
    assert!(matches("^[[:upper:][:digit:]_]+$", "A_1"));
    assert!(matches("^[a[]$", "["));
    assert!(matches("^[(*$]+$", "*($"));
    assert!(matches("^[é-ü]$", "ö"));
}

#[test]
fn every_class_is_that_of_the_posix_locale() {
    for (name, members) in [
        ("alnum", "09AZaz"),
        ("alpha", "AZaz"),
        ("blank", " \t"),
        ("cntrl", "\0\x1f\x7f"),
        ("digit", "09"),
        ("graph", "!~a"),
        ("lower", "az"),
        ("print", " ~"),
        ("punct", "!/:@[`{~"),
        ("space", " \t\n\x0b\x0c\r"),
        ("upper", "AZ"),
        ("xdigit", "09afAF"),
    ] {
        let class = Ere::parse(&format!("^[[:{name}:]]$")).unwrap();
        assert!(members.chars().all(|c| class.is_match(&c.to_string())), "{name}");
        assert!(!class.is_match("é"), "{name}");
    }
    assert!(!matches("[[:alpha:]]", "09 _"));
    assert!(!matches("[[:punct:]]", "09azAZ "));
}

#[test]
fn intervals_count() {
    assert!(matches("^a{2}$", "aa") && !matches("^a{2}$", "aaa"));
    assert!(matches("^a{2,}$", "aaaa") && !matches("^a{2,}$", "a"));
    assert!(matches("^a{1,3}$", "aaa") && !matches("^a{1,3}$", "aaaa"));
    assert!(matches("^(ab){0,2}$", "") && !matches("^(ab){0,2}$", "ababab"));
    assert!(matches("^a{0}b$", "b"));
}

#[test]
fn what_is_not_an_extended_regular_expression_is_refused() {
    for pattern in [
        r"\d+",
        r"\w",
        r"\s",
        r"\bx",
        r"(a)\1",
        r"a\",
        r"\n",
        "a*?",
        "a+?",
        "a??",
        "a{2}?",
        "a**",
        "a*+",
        "(?:a)",
        "(?i)a",
        "(?=a)",
        "",
        "()",
        "a|",
        "|a",
        "a||b",
        "(|a)",
        "*a",
        "+",
        "?",
        "(*a)",
        "a|*b",
        "^*",
        "$+",
        "{1}",
        "a{",
        "a{,2}",
        "a{x}",
        "a{1",
        "a{2,1}",
        "a{256}",
        "a{1,2,3}",
        "a{-1}",
        "(a",
        "a)",
        "((a)",
        "[a",
        "[",
        "[]",
        "[^]",
        "[b-a]",
        "[a-c-e]",
        "[[:alpha:]-z]",
        "[a-[:digit:]]",
        "[[:word:]]",
        "[[:alpha]",
        "[[.-.]]",
        "[[=a=]]",
        "[[:<:]]",
    ] {
        assert!(Ere::parse(pattern).is_err(), "{pattern:?}");
    }
}

#[test]
fn what_would_cost_too_much_is_refused() {
    assert!(Ere::parse(&"a".repeat(MAX_PATTERN + 1)).is_err());
    assert!(Ere::parse("((a{255}){255}){255}").is_err());
    assert!(Ere::parse("(((((.{0,9}){0,9}){0,9}){0,9}){0,9})*").is_err());
    assert!(Ere::parse(&format!("{}a{}", "(".repeat(40), ")".repeat(40))).is_err());
    assert!(Ere::parse(&format!("{}a{}", "(".repeat(32), ")".repeat(32))).is_ok());
    assert!(Ere::parse("^[0-9]{1,255}$").is_ok());
}

#[test]
fn a_bomb_takes_linear_time() {
    let text = "a".repeat(8 * 1024);
    for bomb in [
        "(a+)+b",
        "^(a|a|aa)*b$",
        "(a*)*(a*)*(a*)*b",
        "(.*)(.*)(.*)(.*)(.*)b",
        "((a?){10}){10}b",
    ] {
        let bomb = Ere::parse(bomb).unwrap();
        assert!(!bomb.is_match(&text));
        assert_eq!(bomb.captures(&text), None);
    }
}

#[test]
fn captures_are_those_of_the_leftmost_match() {
    let channel = Ere::parse("^/live/([a-z0-9]+)/(seg|init)(_[0-9]+)?").unwrap();
    assert_eq!(channel.groups(), 3);
    assert_eq!(
        channel.captures("/live/ch1/seg_7.m4s").unwrap(),
        [Some("ch1"), Some("seg"), Some("_7")]
    );
    assert_eq!(
        channel.captures("/live/ch1/init.mp4").unwrap(),
        [Some("ch1"), Some("init"), None]
    );
    assert_eq!(channel.captures("/vod/ch1/init.mp4"), None);
    let greedy = Ere::parse("(a*)(b|bc)(.*)").unwrap();
    assert_eq!(
        greedy.captures("xaabcd").unwrap(),
        [Some("aa"), Some("b"), Some("cd")]
    );
    let last = Ere::parse("(a|b)*c").unwrap();
    assert_eq!(last.captures("xabc").unwrap(), [Some("b")]);
}

/// An expression as the tests build it, and how it is written.
#[derive(Clone, Debug)]
enum Tree {
    Atom(&'static str),
    Concat(Vec<Self>),
    Alternate(Vec<Self>),
    Repeat(Box<Self>, &'static str, usize, usize),
}

/// More than the texts have characters.
const MANY: usize = 20;

impl Tree {
    fn written(&self) -> String {
        match self {
            Self::Atom(atom) => (*atom).into(),
            Self::Concat(parts) => parts.iter().map(Self::written).collect(),
            Self::Alternate(branches) => {
                let branches: Vec<_> = branches.iter().map(Self::written).collect();
                format!("({})", branches.join("|"))
            }
            Self::Repeat(part, sign, ..) => format!("({}){sign}", part.written()),
        }
    }

    /// Every place where a match that begins at `at` may end.
    fn ends(&self, text: &[u8], at: usize) -> BTreeSet<usize> {
        match self {
            Self::Atom("^") => (at == 0).then_some(at).into_iter().collect(),
            Self::Atom("$") => (at == text.len()).then_some(at).into_iter().collect(),
            Self::Atom(atom) => {
                let wanted: &[u8] = match *atom {
                    "." | "[^-]" => b"abc",
                    "[ab]" => b"ab",
                    "[^a]" => b"bc",
                    letter => letter.as_bytes(),
                };
                let reads = text.get(at).is_some_and(|byte| wanted.contains(byte));
                reads.then_some(at + 1).into_iter().collect()
            }
            Self::Concat(parts) => parts.iter().fold(BTreeSet::from([at]), |starts, part| {
                starts.into_iter().flat_map(|at| part.ends(text, at)).collect()
            }),
            Self::Alternate(branches) => branches.iter().flat_map(|branch| branch.ends(text, at)).collect(),
            Self::Repeat(part, _, min, max) => {
                let mut starts = BTreeSet::from([at]);
                let mut ends = BTreeSet::new();
                for times in 0..=*max {
                    if times >= *min {
                        ends.extend(&starts);
                    }
                    starts = starts.into_iter().flat_map(|at| part.ends(text, at)).collect();
                }
                ends
            }
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let atom = prop::sample::select(vec![
        "a", "b", "c", "a", "b", ".", "[ab]", "[^a]", "[^-]", "^", "$",
    ])
    .prop_map(Tree::Atom);
    let signs = vec![
        ("*", 0, MANY),
        ("+", 1, MANY),
        ("?", 0, 1),
        ("{2}", 2, 2),
        ("{1,}", 1, MANY),
        ("{0,2}", 0, 2),
        ("{2,3}", 2, 3),
    ];
    atom.prop_recursive(4, 16, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Tree::Concat),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Tree::Alternate),
            (inner, prop::sample::select(signs.clone())).prop_map(|(part, (sign, min, max))| Tree::Repeat(
                Box::new(part),
                sign,
                min,
                max
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn it_agrees_with_a_matcher_that_tries_everything(tree in tree(), text in "[abc]{0,7}") {
        let due = (0..=text.len()).any(|at| !tree.ends(text.as_bytes(), at).is_empty());
        let pattern = Ere::parse(&tree.written()).unwrap();
        prop_assert_eq!(pattern.is_match(&text), due, "{}", tree.written());
        prop_assert_eq!(pattern.captures(&text).is_some(), due, "{}", tree.written());
    }

    #[test]
    fn no_pattern_and_no_text_makes_it_panic(
        pattern in r"([\[\](){}|*+?.^$\\:=ab0-9,-]|\PC){0,40}",
        text in r"\PC{0,40}",
    ) {
        if let Ok(pattern) = Ere::parse(&pattern) {
            prop_assert_eq!(pattern.is_match(&text), pattern.captures(&text).is_some());
        }
    }

    #[test]
    fn escaped_text_matches_itself_alone(text in "[ -~]{1,30}", other in "[ -~]{1,30}") {
        let escaped: String = text
            .chars()
            .flat_map(|c| r"^.[$()|*+?{\".contains(c).then_some('\\').into_iter().chain([c]))
            .collect();
        let pattern = Ere::parse(&format!("^{escaped}$")).unwrap();
        prop_assert!(pattern.is_match(&text));
        prop_assert_eq!(pattern.is_match(&other), text == other);
    }
}

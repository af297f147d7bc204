//! One flag as a setting: its names, how its values are written elsewhere, and as arguments again.

use clap::{Arg, ArgAction, CommandFactory};

use crate::cli::Cli;

/// A flag that variables and the file may set, too.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    argument: Arg,
    long: String,
}

/// Every flag of `scan`, and the flags of all commands; but not the one that names the file.
pub(crate) fn all() -> Vec<Setting> {
    let mut command = Cli::command();
    command.build();
    let scan = command.find_subcommand("scan").into_iter().flat_map(clap::Command::get_arguments);
    scan.filter_map(Setting::of).collect()
}

impl Setting {
    /// The setting of a flag; none for positions, for `--help`, for `--config` and for other scanners' flags.
    pub(crate) fn of(argument: &Arg) -> Option<Self> {
        let long = argument.get_long()?.to_owned();
        let settable = !matches!(
            argument.get_action(),
            ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
        );
        (settable && long != "config" && !argument.is_hide_set()).then(|| Self { argument: argument.clone(), long })
    }

    /// The id that clap knows it by.
    pub(crate) fn id(&self) -> &str {
        self.argument.get_id().as_str()
    }

    /// `fail-on`: the key in the file.
    pub(crate) fn long(&self) -> &str {
        &self.long
    }

    /// Further names of the flag, which the file takes, too.
    pub(crate) fn aliases(&self) -> Vec<&str> {
        self.argument.get_visible_aliases().unwrap_or_default()
    }

    /// `DOGWATCH_FAIL_ON`
    pub(crate) fn variable(&self) -> String {
        format!("DOGWATCH_{}", self.long.replace('-', "_").to_ascii_uppercase())
    }

    /// Whether a command has this flag.
    pub(crate) fn is_of(&self, command: &clap::Command) -> bool {
        command
            .get_arguments()
            .any(|other| other.get_id() == self.argument.get_id() && other.get_long() == Some(&self.long))
    }

    /// A flag without a value: on or off.
    pub(crate) fn is_switch(&self) -> bool {
        matches!(self.argument.get_action(), ArgAction::SetTrue)
    }

    /// It may be given several times.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.argument.get_action(), ArgAction::Append)
    }

    /// What holds when nobody sets it.
    pub(crate) fn default(&self) -> Vec<String> {
        if self.is_switch() {
            return vec!["false".into()];
        }
        self.argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect()
    }

    /// The values in a variable: lists are separated by commas or line ends, switches are a yes or a no.
    pub(crate) fn values_of_text(&self, text: &str) -> Result<Vec<String>, String> {
        if self.is_switch() {
            return match text.trim().to_ascii_lowercase().as_str() {
                "1" | "true" | "yes" | "on" => Ok(vec!["true".into()]),
                "0" | "false" | "no" | "off" => Ok(vec!["false".into()]),
                _ => Err(format!("`{text}` is neither true nor false")),
            };
        }
        if self.is_list() {
            let parts = text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty());
            return Ok(parts.map(str::to_owned).collect());
        }
        Ok(vec![text.to_owned()])
    }

    /// The values as arguments.
    pub(crate) fn tokens(&self, values: &[String]) -> Vec<String> {
        let long = &self.long;
        let tokens = values.iter().flat_map(|value| match self.argument.get_action() {
            ArgAction::SetTrue => vec![format!("--{long}"); usize::from(value == "true")],
            ArgAction::Count => vec![format!("--{long}"); value.parse::<u8>().unwrap_or(0).into()],
            _ => vec![format!("--{long}={value}")],
        });
        tokens.collect()
    }

    /// Whether the command would take these values; else why not, in its own words.
    pub(crate) fn check(&self, values: &[String]) -> Result<(), String> {
        if matches!(self.argument.get_action(), ArgAction::Count)
            && values.iter().any(|value| value.parse::<u8>().is_err())
        {
            return Err(format!("`{}` is a small number", self.long));
        }
        let arguments = ["dogwatch".to_owned(), "scan".to_owned()].into_iter().chain(self.tokens(values));
        let parsed = Cli::command().try_get_matches_from(arguments.chain(["target".to_owned()]));
        parsed.map(drop).map_err(|error| {
            let text = error.render().to_string();
            let line = text.lines().next().unwrap_or_default();
            line.trim_start_matches("error: ").to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The user guide's list; `UPDATE_EXPECT=1 cargo test -p dogwatch` writes it again.
    #[test]
    fn the_guide_lists_every_setting() {
        let mut text = String::from(
            "# Settings\n\nEvery flag of `dogwatch scan`, made from its definition. [`configuration.md`](configuration.md) says who wins.\n\n\
             | key in the file | variable | value | what it does |\n|---|---|---|---|\n",
        );
        for setting in all() {
            let value = match setting.argument.get_action() {
                ArgAction::SetTrue => "`true` or `false`".to_owned(),
                ArgAction::Count => "a number".to_owned(),
                ArgAction::Append => format!("list of `{}`", value_name(&setting)),
                _ => format!("`{}`", value_name(&setting)),
            };
            let help = setting.argument.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
            text += &format!(
                "| `{}` | `{}` | {} | {help} |\n",
                setting.long(),
                setting.variable(),
                value.replace('|', "\\|")
            );
        }
        let guide = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/settings.md");
        expect_test::expect_file![guide].assert_eq(&text);
    }

    fn value_name(setting: &Setting) -> String {
        setting.argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn names_and_values_follow_from_the_flag() {
        let setting = |long: &str| all().into_iter().find(|setting| setting.long() == long).expect("a flag");
        assert_eq!(setting("fail-on").variable(), "DOGWATCH_FAIL_ON");
        assert_eq!(
            setting("policy").values_of_text("a.yaml, b.yaml\nc.yaml,"),
            Ok(vec!["a.yaml".into(), "b.yaml".into(), "c.yaml".into()])
        );
        assert_eq!(setting("offline").values_of_text("Yes"), Ok(vec!["true".into()]));
        assert_eq!(setting("offline").tokens(&["false".into()]), Vec::<String>::new());
        assert_eq!(setting("verbose").tokens(&["2".into()]), ["--verbose", "--verbose"]);
        assert_eq!(setting("ignore-unfixed").aliases(), ["only-fixed"]);
        assert!(setting("severity").check(&["hihg".into()]).unwrap_err().contains("invalid value 'hihg'"));
        assert!(all().iter().all(|setting| setting.long() != "config" && setting.long() != "help"));
    }
}

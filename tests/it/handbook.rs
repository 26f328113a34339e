//! What README.md says beside its commands (those are run by `readme.rs`): the settings that there are, and the recipe.

use std::fs;
use std::path::Path;

use portcullis::settings::Settings;

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_readme_lists_every_setting_with_its_default() {
    let readme = file("README.md");
    let listed: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `") && line.contains('.')).collect();
    for setting in Settings::load([], None, &[]).unwrap().shown() {
        let default = match setting.value.as_str() {
            "" => "none".to_owned(),
            "not set" => "not set".to_owned(),
            value => format!("`{value}`"),
        };
        let row = format!("| `{}` | {default} | ", setting.key);
        assert!(listed.iter().any(|line| line.starts_with(&row)), "README.md lacks the row {row}…");
    }
}

#[test]
fn the_readme_lists_no_setting_that_is_not_there() {
    let readme = file("README.md");
    let (_, table) = readme.split_once("| key | default | |\n").unwrap();
    let known: Vec<String> = Settings::load([], None, &[]).unwrap().shown().into_iter().map(|one| one.key).collect();
    for line in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
        let key = line.split('`').nth(1).unwrap();
        assert!(known.iter().any(|one| one == key), "README.md has a setting {key}, which does not exist");
    }
}

#[test]
fn the_providers_of_the_readme_can_be_copied() {
    let readme = file("README.md");
    let (_, block) = readme.split_once("```toml\n[social.").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("portcullis.toml");
    fs::write(&path, format!("[social.{block}")).unwrap();
    let social = Settings::load([], Some(&path), &[]).unwrap().settings.social;
    assert_eq!(social.keys().collect::<Vec<_>>(), ["github", "google", "keycloak"]);
    for key in leaf_names(&social["google"]) {
        let row = format!("| `social.NAME.{key}` | ");
        assert!(readme.contains(&row), "README.md lacks the row {row}…");
    }
}

/// The names of all settings of a section.
fn leaf_names(section: &impl serde::Serialize) -> Vec<String> {
    serde_json::to_value(section).unwrap().as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_recipe_of_the_readme_is_the_code_that_is_built() {
    let (readme, recipe) = (file("README.md"), file("tests/it/recipe.rs"));
    let between = |from: &str, to: &str| {
        let start = recipe.find(from).unwrap_or_else(|| panic!("the recipe has no {from}"));
        let length = recipe[start..].find(to).unwrap_or_else(|| panic!("the recipe has no {to} after {from}"));
        recipe[start..start + length].trim_end()
    };
    for key in ["INTEGER PRIMARY KEY AUTOINCREMENT", "BIGSERIAL PRIMARY KEY"] {
        let table = between("CREATE TABLE", "\";").replace("INTEGER PRIMARY KEY", key);
        assert!(readme.contains(&table), "README.md lacks this table:\n{table}");
    }
    for piece in [
        between("diesel::table!", "#[derive(Queryable"),
        between("#[derive(Queryable", "fn routes("),
        between("viewset::<Note>(api);", "}"),
    ] {
        assert!(readme.contains(piece), "README.md lacks this piece of the recipe, as it stands:\n{piece}");
    }
    // What it brings into scope, said from inside the house.
    for line in recipe.lines().filter(|line| line.starts_with("use portcullis::")) {
        let inside = line.replace("portcullis::", "crate::");
        assert!(readme.contains(&inside), "README.md lacks {inside}");
    }
}

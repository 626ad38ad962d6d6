# The configuration file in the store, which is there only if the program accepts it.
#
# The secrets are not there at build time: stand-ins take their place in the check, those of [[numbers]] included.
{ lib, pkgs, cfg, settings }:
let
  toml = pkgs.formats.toml { };
  written = toml.generate "kapso-whatsapp.toml" settings.file;

  standIn = "${pkgs.writeText "stand-in-for-a-secret" "0123456789"}";
  withStandIns = settings.file // lib.optionalAttrs (settings.file ? numbers) {
    numbers = map
      (number: number // lib.optionalAttrs (number ? webhook_secret_file) { webhook_secret_file = standIn; })
      settings.file.numbers;
  };
  numberIsNamed = (settings.file.kapso or { }) ? phone_number_id || settings.file ? numbers;
in
if !cfg.checkConfig then written else
pkgs.runCommand "kapso-whatsapp.toml" { inherit written; } ''
  export HOME="$TMPDIR" KAPSO_API_KEY_FILE=${standIn}
  ${lib.optionalString (!numberIsNamed) "export KAPSO_PHONE_NUMBER_ID=0"}
  ${cfg.package}/bin/kapso-whatsapp-poller --check --config ${toml.generate "kapso-whatsapp-to-check.toml" withStandIns}
  cp "$written" "$out"
''

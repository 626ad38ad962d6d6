# services.kapso-whatsapp for home-manager: the configuration file, the command line, and a service of the user's.
self: { config, lib, pkgs, ... }:
let
  cfg = config.services.kapso-whatsapp;
  settings = import ./settings.nix { inherit lib cfg; };
  file = import ./config-file.nix { inherit lib pkgs cfg settings; };

  # The command line finds the same secrets, whoever calls it: a shell, or the gateway for the agent's skill.
  cli = pkgs.symlinkJoin {
    name = "kapso-whatsapp-cli";
    paths = [ cfg.cliPackage ];
    nativeBuildInputs = [ pkgs.makeWrapper ];
    postBuild = "wrapProgram $out/bin/kapso-whatsapp-cli" + lib.concatStrings (lib.mapAttrsToList
      (variable: path: " --set-default ${variable}_FILE ${lib.escapeShellArg path}")
      settings.secrets);
  };

  packages = self.packages.${pkgs.stdenv.hostPlatform.system};
in
{
  options.services.kapso-whatsapp = import ./options.nix { inherit lib packages; };

  config = lib.mkIf cfg.enable {
    home.packages = [ cli ];
    xdg.configFile."kapso-whatsapp/config.toml".source = file;

    systemd.user.services.kapso-whatsapp = {
      Unit = {
        Description = "WhatsApp for OpenClaw, through Kapso";
        After = [ "openclaw-gateway.service" "sops-nix.service" "agenix.service" ];
        StartLimitIntervalSec = 0;
      };
      Service = {
        Type = "exec";
        ExecStart = "${cfg.package}/bin/kapso-whatsapp-poller --config ${file}";
        LoadCredential = settings.credentials settings.secrets;
        Restart = "always";
        RestartSec = 5;
        RestartPreventExitStatus = 2;
        TimeoutStopSec = 20;
        MemoryMax = "512M";
        TasksMax = 64;
      } // import ./walls.nix;
      Install.WantedBy = [ "default.target" ];
    };

    launchd.agents.kapso-whatsapp = {
      enable = true;
      config = {
        ProgramArguments = [ "${cfg.package}/bin/kapso-whatsapp-poller" "--config" "${file}" ];
        EnvironmentVariables = lib.mapAttrs' (variable: lib.nameValuePair "${variable}_FILE") settings.secrets;
        KeepAlive = true;
        RunAtLoad = true;
        ThrottleInterval = 5;
        StandardErrorPath = "${config.home.homeDirectory}/Library/Logs/kapso-whatsapp.log";
      };
    };
  };
}

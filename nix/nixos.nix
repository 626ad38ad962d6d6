# services.kapso-whatsapp for NixOS: a service of the host under a user of its own, which sees no home directory. For
# relay = "jsonl" and for tailscale delivery, which need the gateway's user, take the home-manager module.
self: { config, lib, pkgs, ... }:
let
  cfg = config.services.kapso-whatsapp;
  settings = import ./settings.nix { inherit lib cfg; };
  file = import ./config-file.nix { inherit lib pkgs cfg settings; };
  packages = self.packages.${pkgs.stdenv.hostPlatform.system};
in
{
  options.services.kapso-whatsapp = import ./options.nix { inherit lib packages; };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.gateway.relay != "jsonl" && cfg.delivery.mode != "tailscale";
        message = "services.kapso-whatsapp: relay = \"jsonl\" and tailscale delivery need the gateway's user: "
          + "take the home-manager module";
      }
      {
        assertion = cfg.state.dir == null;
        message = "services.kapso-whatsapp: state.dir is /var/lib/kapso-whatsapp in this module; remove the option";
      }
    ];

    environment.systemPackages = [ cfg.cliPackage ];

    systemd.services.kapso-whatsapp = {
      description = "WhatsApp for OpenClaw, through Kapso";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      startLimitIntervalSec = 0;
      environment = {
        KAPSO_STATE_DIR = "%S/kapso-whatsapp";
        HOME = "%S/kapso-whatsapp";
      };
      serviceConfig = {
        Type = "exec";
        ExecStart = "${cfg.package}/bin/kapso-whatsapp-poller --config ${file}";
        DynamicUser = true;
        StateDirectory = "kapso-whatsapp";
        StateDirectoryMode = "0700";
        LoadCredential = settings.credentials settings.secrets;
        Restart = "always";
        RestartSec = 5;
        RestartPreventExitStatus = 2;
        TimeoutStopSec = 20;
        MemoryMax = "512M";
        TasksMax = 64;
        CapabilityBoundingSet = "";
        AmbientCapabilities = "";
        PrivateDevices = true;
        PrivateTmp = true;
        PrivateUsers = true;
        ProtectClock = true;
        ProtectControlGroups = true;
        ProtectHome = true;
        ProtectHostname = true;
        ProtectKernelLogs = true;
        ProtectKernelModules = true;
        ProtectKernelTunables = true;
        ProtectProc = "invisible";
        ProcSubset = "pid";
        ProtectSystem = "strict";
        RemoveIPC = true;
        DevicePolicy = "closed";
      } // import ./walls.nix // {
        MemoryDenyWriteExecute = true;
        RestrictAddressFamilies = [ "AF_INET" "AF_INET6" "AF_UNIX" ];
      };
    };
  };
}

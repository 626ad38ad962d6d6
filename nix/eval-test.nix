# What the modules make of options, without nixpkgs: nix-instantiate --eval --strict --json nix/eval-test.nix -A failed
# gives [] when all is well. `keys` are the keys of the configuration file for which there are options, `sample` is a
# file with nearly all of them, for the program to judge.
let
  inherit (import ./lib-stub.nix) lib evaluate nixpkgs;
  self.packages.x86_64-linux = { poller = "/store/poller"; cli = "/store/cli"; };
  home = evaluate (import ./module.nix self);
  host = evaluate (import ./nixos.nix self);

  accounts = { apiKeyFile = "/run/secrets/key"; phoneNumberIdFile = "/run/secrets/number"; };
  least = { enable = true; secrets = accounts; };
  everything = {
    enable = true;
    secrets = accounts // { gatewayTokenFile = "/run/secrets/token"; };
    log = "info";
    delivery = { mode = "domain"; pollInterval = 15; pollFallback = true; };
    security = {
      roles.admin = [ "+15551234567" ];
      denyMessage = "";
      gatewayCommands = { admin = [ "/status" ]; firstLine = true; };
    };
    numbers = [{ phoneNumberId = "2"; webhookSecretFile = "/run/secrets/two"; security.rateLimit = 3; }];
    routes = [{ sender = [ "+15551234567" ]; agent = "sales"; } { role = "admin"; session = "agent:a:b"; }];
    chats."*".prompt = "Be brief.";
    rules.forbidden = [ "word" ];
    rules.hours = { zone = "America/Lima"; open = "09:00"; close = "18:00"; };
    extraSettings = { delivery.poll_interval = 20; newSection.new_key = 1; };
  };

  flake = import ../flake.nix;
  outputs = flake.outputs { inherit nixpkgs; self = outputs; };
  plugin = outputs.openclawPlugin "aarch64-linux";

  # Values that the program has to accept.
  guard = {
    mode = "pairing";
    roles.admin = [ "+15551234567" ];
    denyMessage = "";
    rateLimit = 1;
    rateWindow = 86400;
    sessionIsolation = true;
    defaultRole = "member";
    overLimit = "drop";
    pairingMessage = "Your code is {code}.";
    gatewayCommands = { admin = [ "/status" ]; member = true; };
  };
  most = {
    enable = true;
    secrets = accounts;
    log = "info,gateway=debug";
    kapso = {
      phoneNumberId = "111111111111111";
      baseUrl = "https://api.kapso.ai/meta/whatsapp/v24.0";
      platformUrl = "https://api.kapso.ai/platform/v1";
    };
    delivery = {
      mode = "domain";
      pollInterval = 5;
      pollFallback = true;
      publicUrl = "https://bridge.example.com";
      maxAge = 60;
      backlogAfter = 1;
      registerWebhook = false;
    };
    webhook.addr = "127.0.0.1:18790";
    gateway = {
      type = "openclaw";
      url = "ws://127.0.0.1:18789";
      sessionKey = "main";
      sessionsJson = "/a/sessions.json";
      relay = "auto";
      errorMessage = "";
      runLimit = 86400;
      sessionTemplate = "agent:{agent}:whatsapp:direct:{phone}";
      agent = "main";
    };
    state = { dir = "/a/folder"; maxMib = 16; };
    security = guard // { strangerHook = "true"; };
    media = {
      dir = "/a/media";
      keep = 3600;
      hosts = "*.kapso.ai";
      maxBytes = { image = 1; video = 1; audio = 1; document = 1; sticker = 1; };
    };
    transcribe = {
      provider = "openai";
      model = "whisper-1";
      language = "es";
      maxAudioSize = 1;
      timeout = 1;
      noSpeechThreshold = 0.5;
      cacheTtl = 0;
    };
    control.metricsAddr = "127.0.0.1:9464";
    identity = { audience = "https://backend.example.com"; issuer = "bridge"; };
    rules = {
      admin = "+15550000000";
      forbidden = [ "password" ];
      forbiddenReply = "No.";
      escalate = [ "human" ];
      escalateReply = "Soon.";
      approve = [ "refund" ];
      approveReply = "We look.";
      hours = { zone = "America/Lima"; days = [ "mon" "sun" ]; open = "09:00"; close = "18:00"; reply = "At nine."; };
    };
    numbers = [{
      phoneNumberId = "222222222222222";
      name = "sales";
      webhookSecretFile = "/a/secret";
      security = guard;
    }];
    routes = [
      { number = "sales"; sender = "+15551234567"; role = "admin"; agent = "sales"; }
      { sender = [ "+15557654321" ]; session = "agent:sales:desk"; }
    ];
    chats."*".prompt = "Be brief.";
  };

  homeService = (home least).config.systemd.user.services.kapso-whatsapp;
  hostService = (host least).config.systemd.services.kapso-whatsapp;
  homeFile = values: (home values).config.xdg.configFile."kapso-whatsapp/config.toml".source;

  fails = evaluation: !(builtins.tryEval (builtins.deepSeq evaluation.cfg true)).success;
  contains = part: whole: builtins.length (builtins.split part whole) > 1;

  tests = {
    nothing_is_defined_unless_it_is_enabled = (home { }).config == { } && (host { }).config == { };
    unset_options_leave_the_program_s_defaults = (homeFile least).environment.written.value == { };
    options_become_keys = (homeFile everything).environment.written.value == {
      log = "info";
      delivery = { mode = "domain"; poll_interval = 20; poll_fallback = true; };
      security = {
        roles.admin = [ "+15551234567" ];
        deny_message = "";
        gateway_commands = { admin = [ "/status" ]; firstLine = true; };
      };
      numbers = [{ phone_number_id = "2"; webhook_secret_file = "/run/secrets/two"; security.rate_limit = 3; }];
      routes = [{ sender = [ "+15551234567" ]; agent = "sales"; } { role = "admin"; session = "agent:a:b"; }];
      chats."*".prompt = "Be brief.";
      rules = { forbidden = [ "word" ]; hours = { zone = "America/Lima"; open = "09:00"; close = "18:00"; }; };
      newSection.new_key = 1;
    };
    the_file_is_checked_when_it_is_built =
      contains "/store/poller/bin/kapso-whatsapp-poller --check --config" (homeFile least).script;
    the_check_opens_no_secret = !(contains "/run/secrets" (homeFile everything).script);
    the_check_may_be_left_out = (homeFile (least // { checkConfig = false; })).value == { };
    secrets_are_credentials_of_the_service =
      homeService.Service.LoadCredential == [
        "KAPSO_API_KEY:/run/secrets/key"
        "KAPSO_PHONE_NUMBER_ID:/run/secrets/number"
      ]
      && hostService.serviceConfig.LoadCredential == homeService.Service.LoadCredential;
    secrets_are_in_no_environment =
      !(homeService.Service ? Environment) && !(hostService.environment ? KAPSO_API_KEY_FILE);
    the_command_line_finds_the_secrets_too =
      contains "--set-default KAPSO_API_KEY_FILE '/run/secrets/key'"
        (builtins.head (home least).config.home.packages).postBuild;
    the_service_comes_back_after_a_pause =
      homeService.Service.Restart == "always" && homeService.Service.RestartSec == 5
      && hostService.serviceConfig.Restart == "always" && homeService.Unit.StartLimitIntervalSec == 0;
    both_services_are_walled_in =
      homeService.Service.NoNewPrivileges && hostService.serviceConfig.NoNewPrivileges
      && hostService.serviceConfig.DynamicUser;
    the_original_module_s_options_are_taken = !(fails (home {
      enable = true;
      package = "/store/poller";
      cliPackage = "/store/cli";
      delivery = { mode = "tailscale"; pollInterval = 5; pollFallback = false; };
      webhook.addr = ":18790";
      gateway = { url = "ws://127.0.0.1:18789"; sessionKey = "main"; sessionsJson = "/home/ann/sessions.json"; };
      state.dir = "/home/ann/.config/kapso-whatsapp";
      secrets = accounts // { webhookVerifyTokenFile = "/a"; webhookSecretFile = "/b"; gatewayTokenFile = "/c"; };
    }));
    an_unknown_option_is_an_error = fails (home { delivery.pollIntervall = 5; });
    a_wrong_type_is_an_error =
      fails (home { delivery.pollInterval = "5"; }) && fails (home { delivery.pollInterval = 4; });
    an_unknown_choice_is_an_error = fails (home { security.mode = "opne"; });
    a_number_needs_its_id = fails (home { numbers = [{ name = "sales"; }]; });
    the_host_s_module_refuses_what_needs_a_home =
      builtins.any (a: !a.assertion) (host (least // { gateway.relay = "jsonl"; })).config.assertions
      && builtins.all (a: a.assertion) (host least).config.assertions;
    the_flake_has_what_its_users_name = builtins.all (name: outputs ? ${name})
      [ "packages" "overlays" "homeManagerModules" "nixosModules" "openclawPlugin" "checks" "devShells" "formatter" ];
    packages_have_the_workspace_s_version_and_sources =
      let poller = outputs.packages.x86_64-linux.poller; in
      poller.pname == "kapso-whatsapp-poller" && builtins.match "[0-9]+\\.[0-9]+\\.[0-9]+" poller.version != null
      && builtins.pathExists (poller.src + "/Cargo.lock");
    the_modules_take_the_flake_s_packages =
      (evaluate outputs.homeManagerModules.default { enable = true; }).cfg.package.pname == "kapso-whatsapp-poller";
    the_overlay_has_both_programs =
      builtins.attrNames (outputs.overlays.default nixpkgs.legacyPackages.x86_64-linux { })
      == [ "kapso-whatsapp-cli" "kapso-whatsapp-poller" ];
    openclaw_gets_a_skill_that_is_there_and_its_program =
      builtins.pathExists (builtins.head plugin.skills + "/SKILL.md")
      && (builtins.head plugin.packages).pname == "kapso-whatsapp-cli"
      && plugin.needs.requiredEnv == [ "KAPSO_API_KEY_FILE" "KAPSO_PHONE_NUMBER_ID_FILE" ];
  };

  # The options that are no keys: they belong to the module.
  own = [ "enable" "package" "cliPackage" "checkConfig" "extraSettings" "secrets" ];
  snake = name: builtins.head (builtins.attrNames (import ./settings.nix {
    inherit lib;
    cfg = (home { }).cfg // { control = { ${name} = 1; }; };
  }).file.control);
  below = path: option:
    if !(lib.isOption option) then within path option
    else if innermost option.type ? options then within path (innermost option.type).options
    else [ path ];
  innermost = type: if type ? sub then innermost type.sub else type;
  within = path: options: builtins.concatLists (lib.mapAttrsToList
    (name: below (if path == "" then snake name else "${path}.${snake name}"))
    options);
in
{
  failed = builtins.filter (name: !tests.${name}) (builtins.attrNames tests);
  passed = builtins.length (builtins.attrNames tests);
  sample = (homeFile most).environment.written.value;
  keys = within "" (removeAttrs (home { }).options own);
  secrets = builtins.attrNames (import ./settings.nix {
    inherit lib;
    cfg = (home { secrets = builtins.mapAttrs (_: _: "/a/file") (home { }).cfg.secrets; }).cfg;
  }).secrets;
}

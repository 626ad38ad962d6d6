# From the options to the configuration file's tables, and to what reaches the service as secrets.
{ lib, cfg }:
let
  letters = lower: upper: builtins.replaceStrings upper (map (letter: "_" + letter) lower);
  snake = letters
    [ "a" "b" "c" "d" "e" "f" "g" "h" "i" "j" "k" "l" "m" "n" "o" "p" "q" "r" "s" "t" "u" "v" "w" "x" "y" "z" ]
    [ "A" "B" "C" "D" "E" "F" "G" "H" "I" "J" "K" "L" "M" "N" "O" "P" "Q" "R" "S" "T" "U" "V" "W" "X" "Y" "Z" ];

  # A table: options as keys, without those that are not set. Names below roles, gatewayCommands and chats are the
  # user's own.
  set = lib.filterAttrs (_: value: value != null);
  table = options: lib.mapAttrs' (name: lib.nameValuePair (snake name)) (set options);
  filled = lib.filterAttrs (_: value: value != { } && value != null);

  rules = table (removeAttrs cfg.rules [ "hours" ]) // filled { hours = table cfg.rules.hours; };
  media = table (removeAttrs cfg.media [ "maxBytes" ]) // filled { max_bytes = table cfg.media.maxBytes; };
  number = options: table (removeAttrs options [ "security" ]) // filled { security = table options.security; };

  sections = filled {
    kapso = table cfg.kapso;
    delivery = table cfg.delivery;
    webhook = table cfg.webhook;
    gateway = table cfg.gateway;
    state = table cfg.state;
    security = table cfg.security;
    inherit media;
    transcribe = table cfg.transcribe;
    control = table cfg.control;
    identity = table cfg.identity;
    inherit rules;
  };

  lists = set {
    inherit (cfg) log;
    numbers = if cfg.numbers == null then null else map number cfg.numbers;
    routes = if cfg.routes == null then null else map table cfg.routes;
    chats = if cfg.chats == null then null else lib.mapAttrs (_: table) cfg.chats;
  };

  over = below: above: below // lib.mapAttrs
    (name: value:
      if builtins.isAttrs value && builtins.isAttrs (below.${name} or null) then over below.${name} value else value)
    above;
in
{
  # The file, as an attribute set.
  file = over (sections // lists) cfg.extraSettings;

  # The paths of the secrets that are set, by the variables that they stand for.
  secrets = set {
    KAPSO_API_KEY = cfg.secrets.apiKeyFile;
    KAPSO_PHONE_NUMBER_ID = cfg.secrets.phoneNumberIdFile;
    KAPSO_WEBHOOK_VERIFY_TOKEN = cfg.secrets.webhookVerifyTokenFile;
    KAPSO_WEBHOOK_SECRET = cfg.secrets.webhookSecretFile;
    KAPSO_WEBHOOK_APP_SECRET = cfg.secrets.webhookAppSecretFile;
    OPENCLAW_TOKEN = cfg.secrets.gatewayTokenFile;
    KAPSO_TRANSCRIBE_API_KEY = cfg.secrets.transcribeApiKeyFile;
  };

  # The secrets as systemd takes them.
  credentials = secrets: lib.mapAttrsToList (variable: path: "${variable}:${path}") secrets;
}

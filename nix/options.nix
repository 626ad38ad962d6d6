# The options of services.kapso-whatsapp, for the home-manager and the NixOS module alike.
#
# An option is named after its key in the configuration file: `delivery.poll_interval` is `delivery.pollInterval`.
# `null` leaves a key out of the file, so that the program's own default holds; no default stands here a second time.
# docs/configuration.md has them all. packaging/nix-keys.py compares this file with the program's keys.
{ lib, packages }:
let
  inherit (lib) mkEnableOption mkOption types;

  key = type: description: mkOption {
    type = types.nullOr type;
    default = null;
    inherit description;
  };
  text = key types.str;
  flag = key types.bool;
  whole = least: most: key (types.ints.between least most);
  names = types.listOf types.str;
  seconds = least: whole least 2592000;
  bytes = whole 0 1073741824;

  file = variable: mkOption {
    type = types.nullOr types.str;
    default = null;
    example = "/run/secrets/${variable}";
    description = ''
      A file outside the Nix store with the value of ${variable}, as sops-nix and agenix make them. It is read when the
      service starts; its content is in no environment and in no file of the store.
    '';
  };

  commands = types.attrsOf (types.either types.bool names);

  # What [security] and [numbers.security] have in common.
  guard = {
    mode = key (types.enum [ "allowlist" "open" "pairing" ])
      "Who may write: numbers with a role, everyone, or also strangers who show a code.";
    roles = key (types.attrsOf names)
      "Phone numbers and WhatsApp user ids, by role. They stand in the Nix store, which every user can read.";
    denyMessage = text "What a stranger is told, once a day at most; an empty text sends nothing.";
    rateLimit = whole 1 1000000 "Messages of one sender that are handed over in each rateWindow.";
    rateWindow = whole 1 86400 "Seconds.";
    sessionIsolation = flag "Whether each sender has a session of their own.";
    defaultRole = text "The role of numbers from the environment, and of strangers in open mode.";
    overLimit = key (types.enum [ "wait" "drop" ]) "What becomes of messages over the rate.";
    pairingMessage = text "What a stranger is told in pairing mode; it has to contain {code}.";
    gatewayCommands = key commands
      "The gateway's own commands that a role may use: a list, or true for the usual ones.";
  };

  number = types.submodule {
    options = {
      phoneNumberId = mkOption { type = types.str; description = "The business number, by Meta's id of it."; };
      name = text "What routes call it.";
      webhookSecretFile = key types.str
        "A file with the key of its webhook's signatures, which the service's user can read.";
      security = guard;
    };
  };

  route = types.submodule {
    options = {
      number = text "A business number, by name or id.";
      sender = key (types.either types.str names) "A sender, or a list of them.";
      role = text "A role.";
      agent = text "The agent that answers.";
      session = text "The session that answers, or with isolation its stem.";
    };
  };

  chat = types.submodule {
    options.prompt = mkOption {
      type = types.str;
      description = "What the agent is told about the chat; an empty text switches that of \"*\" off.";
    };
  };
in
{
  enable = mkEnableOption "the bridge between WhatsApp and an OpenClaw agent, through Kapso";

  package = mkOption {
    type = types.package;
    default = packages.poller;
    defaultText = lib.literalExpression "this flake's packages.poller";
    description = "The package with kapso-whatsapp-poller.";
  };

  cliPackage = mkOption {
    type = types.package;
    default = packages.cli;
    defaultText = lib.literalExpression "this flake's packages.cli";
    description = "The package with kapso-whatsapp-cli.";
  };

  checkConfig = mkOption {
    type = types.bool;
    default = true;
    description = "Whether the configuration is checked when it is built; off where the build host cannot run it.";
  };

  extraSettings = mkOption {
    type = types.attrsOf types.anything;
    default = { };
    example = { delivery.poll_interval = 15; };
    description = "Keys by their names in the file, for those that have no option here. They win over options.";
  };

  secrets = {
    apiKeyFile = file "KAPSO_API_KEY";
    phoneNumberIdFile = file "KAPSO_PHONE_NUMBER_ID";
    webhookVerifyTokenFile = file "KAPSO_WEBHOOK_VERIFY_TOKEN";
    webhookSecretFile = file "KAPSO_WEBHOOK_SECRET";
    webhookAppSecretFile = file "KAPSO_WEBHOOK_APP_SECRET";
    gatewayTokenFile = file "OPENCLAW_TOKEN";
    transcribeApiKeyFile = file "KAPSO_TRANSCRIBE_API_KEY";
  };

  log = text "error, warn, info, debug or trace, also by part: info,gateway=debug.";

  kapso = {
    phoneNumberId = text "The business number, by Meta's id of it; or secrets.phoneNumberIdFile.";
    baseUrl = text "Where messages are listed and sent.";
    platformUrl = text "Where the number's webhooks are managed.";
  };

  delivery = {
    mode = key (types.enum [ "polling" "tailscale" "domain" ]) "How messages arrive.";
    pollInterval = whole 5 86400 "Seconds between two reads of the message list.";
    pollFallback = flag "Whether the list is read at that interval in the webhook modes too.";
    publicUrl = text "The bridge's address as Kapso reaches it, in domain mode.";
    maxAge = seconds 60 "Seconds; a message that waited longer is recorded as expired and not answered.";
    registerWebhook = flag "Whether the bridge registers its webhook at Kapso itself.";
    backlogAfter = seconds 1 "Seconds; messages of one sender that waited longer are handed over as one turn.";
  };

  webhook.addr = text "Where pushed messages are accepted.";

  gateway = {
    type = key (types.enum [ "openclaw" ]) "The kind of gateway.";
    url = text "The gateway's WebSocket.";
    sessionKey = text "The session, or with isolation the stem of everyone's own.";
    sessionsJson = text "The gateway's list of sessions, read with relay = \"jsonl\" alone.";
    relay = key (types.enum [ "auto" "jsonl" ]) "Where replies are read.";
    errorMessage = text "What a sender is told when the agent fails; an empty text sends nothing.";
    runLimit = whole 60 86400 "Seconds after which a run that has not reported is given up.";
    sessionTemplate = text "Each sender's session in another form than sessionKey and a suffix.";
    agent = text "The agent that answers whom no route sends elsewhere.";
  };

  state = {
    dir = text "The journal, the gateway identity, the control socket; one folder for each bridge.";
    maxMib = whole 16 65536 "MiB; above this size the journal drops the words of what is long over.";
  };

  security = guard // {
    strangerHook = text "A command line or an http(s) address that is told of strangers.";
  };

  media = {
    dir = text "Where files lie that are not shown to the agent but named.";
    keep = whole 3600 31536000 "Seconds; how long each file stays there.";
    hosts = text "Hosts of files besides that of kapso.baseUrl, separated by commas.";
    maxBytes = {
      image = bytes "The largest picture that is fetched.";
      video = bytes "The largest film.";
      audio = bytes "The largest sound.";
      document = bytes "The largest file of another kind.";
      sticker = bytes "The largest sticker.";
    };
  };

  transcribe = {
    provider = key (types.enum [ "openai" "groq" "deepgram" ]) "Who turns voice into text where Kapso has not.";
    model = text "The model there.";
    language = text "The language that is spoken, such as es.";
    maxAudioSize = bytes "A larger sound is a file.";
    timeout = whole 1 600 "Seconds for one sound, with all attempts.";
    noSpeechThreshold = key types.number "From 0 to 1; a sound likelier than this to hold no speech has no words.";
    cacheTtl = whole 0 604800 "Seconds for which the words of a sound are remembered.";
  };

  control.metricsAddr = text "A TCP port for /metrics, which the control socket has in any case.";

  identity = {
    audience = text "The backend that identity tokens are for; without it none are issued.";
    issuer = text "The name of this bridge in identity tokens.";
  };

  rules = {
    admin = text "Who is told by WhatsApp of what the rules held back.";
    forbidden = key names "Messages with one of these words are refused.";
    forbiddenReply = text "What their sender is told.";
    escalate = key names "Messages with one of these words are for a human.";
    escalateReply = text "What their sender is told.";
    approve = key names "Messages with one of these words are set aside until the operator lets them pass.";
    approveReply = text "What their sender is told.";
    hours = {
      zone = text "The time zone of the business hours, such as America/Lima.";
      days = key (types.listOf (types.enum [ "mon" "tue" "wed" "thu" "fri" "sat" "sun" ]))
        "The days on which it opens.";
      open = text "When it opens: 09:00.";
      close = text "When it closes; a time before open is one of the next day.";
      reply = text "What is sent once for each time that it is closed.";
    };
  };

  numbers = key (types.listOf number) "More business numbers in the same process.";
  routes = key (types.listOf route) "Who is answered by another agent, or in a certain session.";
  chats = key (types.attrsOf chat) "What the agent is told about a chat, by number, user id or \"*\".";
}

# As much of nixpkgs' `lib` and `pkgs` as the modules here use, for hosts where nixpkgs cannot be had; and an evaluation
# of a module with it. Types are checked as nixpkgs checks them, options that do not exist are errors, and derivations
# are their own scripts.
let
  where = builtins.concatStringsSep ".";
  isOption = value: (value._type or "") == "option";

  type = name: check: {
    inherit name;
    read = path: value: if check value then value else throw "${where path} is no ${name}";
  };

  types = {
    str = type "text" builtins.isString;
    bool = type "boolean" builtins.isBool;
    number = type "number" (value: builtins.isInt value || builtins.isFloat value);
    package = type "package" (value: builtins.isAttrs value || builtins.isString value);
    anything = type "value" (_: true);
    ints.between = least: most:
      type "whole number from ${toString least} to ${toString most}"
        (value: builtins.isInt value && value >= least && value <= most);
    enum = values: type "one of ${where values}" (value: builtins.elem value values);
    nullOr = sub: {
      name = "null or ${sub.name}";
      inherit sub;
      read = path: value: if value == null then null else sub.read path value;
    };
    listOf = sub: {
      name = "list of ${sub.name}";
      inherit sub;
      read = path: value:
        if builtins.isList value then map (sub.read path) value else throw "${where path} is no list";
    };
    attrsOf = sub: {
      name = "set of ${sub.name}";
      inherit sub;
      read = path: value:
        if builtins.isAttrs value then builtins.mapAttrs (name: sub.read (path ++ [ name ])) value
        else throw "${where path} is no set";
    };
    either = one: other: {
      name = "${one.name} or ${other.name}";
      read = path: value:
        let tried = builtins.tryEval (builtins.deepSeq (one.read path value) true);
        in if tried.success then one.read path value else other.read path value;
    };
    submodule = { options }: { name = "submodule"; inherit options; read = path: evaluated path options; };
  };

  evaluated = path: options: values:
    let unknown = builtins.filter (name: !(options ? ${name})) (builtins.attrNames values);
    in
    if unknown != [ ] then throw "${where (path ++ unknown)} is no option"
    else builtins.mapAttrs
      (name: option:
        let at = path ++ [ name ]; in
        if !isOption option then evaluated at option (values.${name} or { })
        else if values ? ${name} then option.type.read at values.${name}
        else option.default or (throw "${where at} is not set"))
      options;

  over = below: above: below // builtins.mapAttrs
    (name: value:
      if builtins.isAttrs value && builtins.isAttrs (below.${name} or null) then over below.${name} value else value)
    above;

  # A definition without its conditions.
  plain = value:
    if !builtins.isAttrs value || value ? outPath then value
    else if (value._type or "") == "if" then (if value.condition then plain value.content else { })
    else if (value._type or "") == "merge" then builtins.foldl' over { } (map plain value.contents)
    else builtins.mapAttrs (_: plain) value;
in
rec {
  lib = {
    inherit types isOption;
    mkOption = option: option // { _type = "option"; };
    mkEnableOption = description: lib.mkOption { type = types.bool; default = false; inherit description; };
    mkIf = condition: content: { _type = "if"; inherit condition content; };
    mkMerge = contents: { _type = "merge"; inherit contents; };
    literalExpression = text: text;
    nameValuePair = name: value: { inherit name value; };
    mapAttrs = builtins.mapAttrs;
    mapAttrs' = f: set: builtins.listToAttrs (map (name: f name set.${name}) (builtins.attrNames set));
    mapAttrsToList = f: set: map (name: f name set.${name}) (builtins.attrNames set);
    filterAttrs = keep: set:
      builtins.listToAttrs
        (builtins.filter ({ name, value }: keep name value) (lib.mapAttrsToList lib.nameValuePair set));
    optionalAttrs = condition: set: if condition then set else { };
    optionalString = condition: text: if condition then text else "";
    concatStrings = builtins.concatStringsSep "";
    escapeShellArg = text: "'${text}'";
  };

  # Derivations: what they are called, and what they would do.
  pkgs = {
    stdenv.hostPlatform.system = "x86_64-linux";
    makeWrapper = "/store/makeWrapper";
    writeText = name: content: { inherit name content; outPath = "/store/${name}"; };
    runCommand = name: environment: script: { inherit name environment script; outPath = "/store/${name}"; };
    symlinkJoin = set: set // { outPath = "/store/${set.name}"; };
    formats.toml = { }: { generate = name: value: { inherit name value; outPath = "/store/${name}"; }; };
    rustPlatform.buildRustPackage = set: set // { outPath = "/store/${set.pname}-${set.version}"; };
  };

  # The input of the flake.
  nixpkgs = {
    legacyPackages = builtins.listToAttrs (map
      (system: { name = system; value = pkgs // { stdenv.hostPlatform.system = system; }; })
      [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ]);
    lib = lib // {
      genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
      # A file that is not there is an error, as it is in nixpkgs.
      fileset = {
        toSource = { root, fileset }: builtins.deepSeq fileset root;
        unions = map (path: if builtins.pathExists path then path else throw "${toString path} is not there");
      };
      licenses.mit = "MIT";
      platforms.unix = [ ];
    };
  };

  # The module's options, the values of services.kapso-whatsapp, and everything that the module defines then.
  evaluate = module: values:
    let
      cfg = evaluated [ ] options values;
      evaluatedModule = module {
        inherit lib pkgs;
        config = { services.kapso-whatsapp = cfg; home.homeDirectory = "/home/ann"; };
      };
      options = evaluatedModule.options.services.kapso-whatsapp;
    in
    { inherit options cfg; config = plain evaluatedModule.config; };
}

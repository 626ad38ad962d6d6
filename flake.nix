{
  description = "An official WhatsApp number for an OpenClaw agent, through Kapso";

  # The compiler has to be as new as `rust-version` in Cargo.toml, which stable channels are later.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      each = build: nixpkgs.lib.genAttrs systems (system: build nixpkgs.legacyPackages.${system});
      manifest = builtins.fromTOML (builtins.readFile ./Cargo.toml);

      binary = pkgs: name: description: pkgs.rustPlatform.buildRustPackage {
        pname = name;
        # One version, that of the workspace.
        version = manifest.workspace.package.version;
        src = nixpkgs.lib.fileset.toSource {
          root = ./.;
          # The documents are read by the tests of crates, and by nothing that is built.
          fileset = nixpkgs.lib.fileset.unions [ ./Cargo.toml ./Cargo.lock ./crates ./config.example.toml ];
        };
        cargoLock.lockFile = ./Cargo.lock;
        cargoBuildFlags = [ "--package" name ];
        # The tests listen on loopback and start child processes; they are for the project's own CI.
        doCheck = false;
        meta = {
          inherit description;
          license = nixpkgs.lib.licenses.mit;
          mainProgram = name;
          platforms = nixpkgs.lib.platforms.unix;
        };
      };

      packagesOf = pkgs: rec {
        poller = binary pkgs "kapso-whatsapp-poller" "The daemon between WhatsApp and an OpenClaw agent";
        cli = binary pkgs "kapso-whatsapp-cli" "Everything a person or an agent's skill does with the bridge";
        default = pkgs.symlinkJoin { name = "kapso-whatsapp"; paths = [ poller cli ]; };
      };
    in
    {
      packages = each packagesOf;

      overlays.default = final: _: {
        kapso-whatsapp-poller = (packagesOf final).poller;
        kapso-whatsapp-cli = (packagesOf final).cli;
      };

      homeManagerModules.default = import ./nix/module.nix self;
      nixosModules.default = import ./nix/nixos.nix self;

      # What nix-openclaw's customPlugins read: the command line for the agent, and the skill that explains it.
      # `requiredEnv` names variables that hold paths of files, which nix-openclaw checks.
      openclawPlugin = system: {
        name = "kapso-whatsapp";
        skills = [ ./skills/whatsapp ];
        packages = [ self.packages.${system}.cli ];
        needs = {
          stateDirs = [ ".config/kapso-whatsapp" ];
          requiredEnv = [ "KAPSO_API_KEY_FILE" "KAPSO_PHONE_NUMBER_ID_FILE" ];
        };
      };

      checks = each (pkgs: {
        inherit (packagesOf pkgs) poller cli;
        modules = pkgs.runCommand "modules" { nativeBuildInputs = [ pkgs.nix pkgs.python3 ]; } ''
          export NIX_STATE_DIR="$TMPDIR/state" NIX_STORE_DIR="$TMPDIR/store"
          nix-instantiate --eval --strict --json ${self}/nix/eval-test.nix > evaluation.json
          python3 ${self}/packaging/nix-keys.py evaluation.json
          touch "$out"
        '';
      });

      devShells = each (pkgs: {
        default = pkgs.mkShell {
          packages = with pkgs; [ cargo rustc clippy rustfmt rust-analyzer just nodejs python3 shellcheck ];
        };
      });

      formatter = each (pkgs: pkgs.nixpkgs-fmt);
    };
}

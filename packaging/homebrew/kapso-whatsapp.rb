# The formula for a tap. The release workflow puts in the repository, the version and the checksum of the source
# archive, and attaches the result to the release.
class KapsoWhatsapp < Formula
  desc "Official WhatsApp number for an OpenClaw agent, through Kapso"
  homepage "https://github.com/@REPOSITORY@"
  url "https://github.com/@REPOSITORY@/archive/refs/tags/v@VERSION@.tar.gz"
  sha256 "@SHA256@"
  license "MIT"

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args(path: "crates/kapso-whatsapp-poller")
    system "cargo", "install", *std_cargo_args(path: "crates/kapso-whatsapp-cli")
    pkgshare.install "skills", "config.example.toml"
  end

  service do
    run opt_bin/"kapso-whatsapp-poller"
    keep_alive true
    log_path var/"log/kapso-whatsapp.log"
    error_log_path var/"log/kapso-whatsapp.log"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/kapso-whatsapp-cli --version")
    ENV["KAPSO_STATE_DIR"] = testpath
    assert_match "is not running", shell_output("#{bin}/kapso-whatsapp-cli status 2>&1", 5)
    # Without an account the daemon says what is missing, and does not start.
    assert_match "KAPSO_API_KEY", shell_output("#{bin}/kapso-whatsapp-poller --check 2>&1", 2)
  end
end

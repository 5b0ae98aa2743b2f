package world

import (
	"fmt"
	"os"
	"path/filepath"
)

// UseRegistry lets the node pull images through the registry at address, in plain
// HTTP, whatever registry their names have: nothing else can be reached here.
func (w *World) UseRegistry(address string) error {
	dir := filepath.Join(w.node.certs(), "_default")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf("server = \"http://%[1]s\"\n[host.\"http://%[1]s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", address)
	return os.WriteFile(filepath.Join(dir, "hosts.toml"), []byte(text), 0o644)
}

// certs is where containerd looks how to reach a registry.
func (n *node) certs() string { return filepath.Join(n.dir, "certs.d") }

// Archive returns the image in the form of "docker save".
func (i Image) Archive() ([]byte, error) { return i.archive() }

package demo

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/signpost-acme/signpost/test/sandbox"
	"github.com/signpost-acme/signpost/test/world"
)

// leaveRunning prints how to use the demo, lets make end, and goes on until it
// is told to stop.
func leaveRunning(ctx context.Context, w *world.World, n *Narrator, k Kind) error {
	listener, err := sandbox.Listener(0)
	if err != nil {
		return err
	}
	host, err := w.WriteHostKubeconfig("https://" + listener.Addr().String())
	if err != nil {
		return err
	}
	// A shell in the sandbox starts from here: its environment, sourced.
	enter := fmt.Sprintf("cd %q\nexport KUBECONFIG=%q PATH=%q:$PATH PS1='(signpost demo) \\w\\$ '\n", w.Dir, w.Kubeconfig, w.Bin)
	if err := os.WriteFile(filepath.Join(w.Dir, "environment"), []byte(enter), 0o600); err != nil {
		return err
	}
	n.Title("Everything is left running")
	n.Say("From this machine, until it is stopped:")
	n.Code(fmt.Sprintf("export KUBECONFIG=%s", host), fmt.Sprintf("%s get certificates,certificaterequests,orders,challenges -A", filepath.Join(w.Bin, "kubectl")),
		filepath.Join(w.Bin, "signpost")+" status")
	n.Say("From inside, where these addresses are:")
	inside := []string{"make demo-shell",
		fmt.Sprintf("dig @%s %s SOA              # a DNS server of Signpost", k.DNSServer, world.Zone),
		fmt.Sprintf("dig @%s _acme-challenge.example.com TXT     # the resolver that the CA asks", world.ResolverAddress)}
	if k.Node {
		inside = append(inside, "kubectl get pods --all-namespaces")
	} else {
		inside = append(inside,
			"signpost status                              # which domains need somebody",
			fmt.Sprintf("curl http://%s:8080/                 # the same as a page; /status.json, /metrics", k.DNSServer))
	}
	n.Code(inside...)
	n.Say("Logs are in " + w.Dir + ". To stop it:")
	n.Code("make demo-stop")
	go forward(listener, strings.TrimPrefix(world.APIURL, "https://"))
	if err := sandbox.Release(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// forward hands every connection on to the address inside.
func forward(l net.Listener, address string) {
	for {
		outer, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer outer.Close()
			inner, err := net.Dial("tcp", address)
			if err != nil {
				return
			}
			defer inner.Close()
			go func() { _, _ = io.Copy(inner, outer); inner.Close() }()
			_, _ = io.Copy(outer, inner)
		}()
	}
}

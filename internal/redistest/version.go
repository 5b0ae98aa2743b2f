package redistest

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// understood returns arguments without those that the machine's redis-server does not
// know yet: before 6.2 a user has no rights for channels, and before 7.0 there is
// nothing to say about SIGTERM.
func understood[T any](args []T) (out []T) {
	for i := 0; i < len(args); i++ {
		switch text := fmt.Sprint(args[i]); {
		case Version() < 602 && (strings.HasPrefix(text, "&") || strings.HasSuffix(text, "channels")):
		case Version() < 700 && text == "--shutdown-on-sigterm":
			i++
		default:
			out = append(out, args[i])
		}
	}
	return out
}

// Version returns that of redis-server on the PATH: 602 is 6.2. One that cannot be told
// is new.
var Version = sync.OnceValue(func() int {
	out, _ := exec.Command("redis-server", "--version").Output()
	match := regexp.MustCompile(`v=(\d+)\.(\d+)`).FindSubmatch(out)
	if match == nil {
		return 9999
	}
	major, _ := strconv.Atoi(string(match[1]))
	minor, _ := strconv.Atoi(string(match[2]))
	return 100*major + minor
})

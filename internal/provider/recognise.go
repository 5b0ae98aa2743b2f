package provider

import "strings"

// Recognise returns the providers that nameservers belong to, each once, in the order
// of the data: none if nobody is known, or if they have names of the domain's own
// (vanity nameservers, RFC 9499 section 7); several for a domain that is served by
// several. Names are in presentation format, with or without the final dot, in any case.
//
// A pattern is compared label by label from the first to the last, so that a name
// which only begins or ends like a provider's is none of its.
func Recognise(nameservers []string) (out []Provider) {
	for _, p := range known.Providers {
		if p.serves(nameservers) {
			out = append(out, p)
		}
	}
	return out
}

func (p Provider) serves(nameservers []string) bool {
	for _, name := range nameservers {
		labels := strings.Split(strings.ToLower(strings.TrimSuffix(name, ".")), ".")
		for _, pattern := range p.Nameservers {
			if matchLabels(strings.Split(pattern, "."), labels) {
				return true
			}
		}
	}
	return false
}

func matchLabels(pattern, labels []string) bool {
	if len(pattern) != len(labels) {
		return false
	}
	for i, p := range pattern {
		if !matchLabel(p, labels[i]) {
			return false
		}
	}
	return true
}

// matchLabel compares a label with a pattern, in which * stands for one or more
// letters, digits and hyphens, and # for one or more digits. Nothing else of a label
// matches them: an escaped dot (RFC 1035 section 5.1) leaves a backslash, which is no
// part of any pattern.
func matchLabel(pattern, label string) bool {
	if pattern == "" {
		return label == ""
	}
	if pattern[0] != '*' && pattern[0] != '#' {
		return label != "" && pattern[0] == label[0] && matchLabel(pattern[1:], label[1:])
	}
	for i := 0; i < len(label) && stands(pattern[0], label[i]); i++ {
		if matchLabel(pattern[1:], label[i+1:]) {
			return true
		}
	}
	return false
}

func stands(wildcard, c byte) bool {
	digit := '0' <= c && c <= '9'
	return digit || wildcard == '*' && (c == '-' || 'a' <= c && c <= 'z')
}

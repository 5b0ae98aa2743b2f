package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/signpost-acme/signpost/test/process"
	"github.com/signpost-acme/signpost/test/world"
)

// startRedis starts Redis with the zone's records in it, laid out as Signpost does.
func startRedis(ctx context.Context, dir string, zone names) (*process.Process, error) {
	host, _, _ := strings.Cut(world.RedisAddress, ":")
	p := &process.Process{Name: "redis", Dir: dir, Args: []string{"redis-server", "--bind", host, "--protected-mode", "no", "--save", "", "--appendonly", "no"}}
	if err := p.Start(nil); err != nil {
		return nil, err
	}
	if err := p.Listens(ctx, world.RedisAddress); err != nil {
		return nil, err
	}
	client := redis.NewClient(&redis.Options{Addr: world.RedisAddress})
	defer client.Close()
	expiry := float64(time.Now().Add(time.Hour).UnixMilli())
	_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, name := range zone.known {
			id, _, _ := strings.Cut(name, ".")
			pipe.ZAdd(ctx, fmt.Sprintf("signpost:{%s}:%s", zone.origin, id), redis.Z{Score: expiry, Member: value})
		}
		return nil
	})
	return p, err
}

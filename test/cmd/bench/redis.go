package main

import (
	"context"
	"fmt"
	"slices"
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
	ids := make([]string, len(zone.known))
	for i, name := range zone.known {
		ids[i], _, _ = strings.Cut(name, ".")
	}
	return p, addToRedis(ctx, client, ids...)
}

func redisKey(id string) string { return fmt.Sprintf("signpost:{%s}:%s", world.Zone, id) }

// addToRedis puts the value under every name, without telling anybody.
func addToRedis(ctx context.Context, client *redis.Client, ids ...string) error {
	expiry := float64(time.Now().Add(time.Hour).UnixMilli())
	for chunk := range slices.Chunk(ids, 10_000) {
		_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for _, id := range chunk {
				pipe.ZAdd(ctx, redisKey(id), redis.Z{Score: expiry, Member: value})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// The program whose build information lists the modules of the benchmark image.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

func main() {
	log, _ := zap.NewProduction()
	serve := func(*cobra.Command, []string) error {
		settings, err := config.LoadDefaultConfig(context.Background())
		if err != nil {
			return err
		}
		router := gin.New()
		router.GET("/metrics", gin.WrapH(promhttp.Handler()))
		log.Info(fmt.Sprint(settings.Region, redis.NewClient(&redis.Options{})))
		return router.Run()
	}
	if err := (&cobra.Command{Use: "shop", RunE: serve}).Execute(); err != nil {
		os.Exit(1)
	}
}

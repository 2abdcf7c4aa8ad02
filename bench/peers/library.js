// Shopify's own library for Express, as its documentation sets it up, with one insert in the handler.
import { shopifyApp } from "@shopify/shopify-app-express";
import { ApiVersion, DeliveryMethod, LogSeverity } from "@shopify/shopify-api";
import express from "express";
import { serveInCluster } from "./processes.js";
import { openStorage } from "./storage.js";

const PATH = "/webhooks/shopify";

function makeApp() {
  const keep = openStorage();
  const shopify = shopifyApp({
    api: {
      apiKey: "bench",
      apiSecretKey: process.env.BENCH_SECRET,
      scopes: ["read_orders"],
      apiVersion: ApiVersion.July26,
      hostScheme: "https",
      hostName: "laurel.example",
      // Its default is a line for every delivery, which would be measured as well.
      logger: { level: LogSeverity.Error },
    },
    auth: { path: "/api/auth", callbackPath: "/api/auth/callback" },
    webhooks: { path: PATH },
  });
  const handler = {
    deliveryMethod: DeliveryMethod.Http,
    callbackUrl: PATH,
    callback: async (topic, shop, body, id) => {
      await keep(shop, id, topic, Buffer.from(body));
    },
  };
  const app = express();
  app.disable("x-powered-by");
  app.post(PATH, shopify.processWebhooks({ webhookHandlers: { ORDERS_PAID: handler } }));
  return app;
}

serveInCluster(makeApp);

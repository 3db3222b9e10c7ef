// How orval's client in TypeScript is generated.
module.exports = {
  gateway: {
    input: {
      target: "../../openapi.yaml",
      // It would read every reply as JSON, and the document itself is none.
      filters: { mode: "exclude", tags: ["contract"] },
    },
    output: {
      target: "../../target/clients/gateway.ts",
      client: "fetch",
      baseUrl: { getBaseUrlFromSpecification: true },
      headers: true,
    },
  },
};

// Generated from clients/openapi.json: npm run generate
export {};
